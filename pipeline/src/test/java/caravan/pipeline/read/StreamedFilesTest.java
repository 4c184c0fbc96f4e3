package caravan.pipeline.read;

import static caravan.pipeline.read.Reading.told;
import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.SourceFile;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import com.github.luben.zstd.ZstdOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Compressed files of every format, whole and damaged. */
class StreamedFilesTest {
  private static final Storage STORAGE = new Storage(new Configuration(false));
  private static final Records RECORDS = Reading.records("separator = \"<|endoftext|>\"");
  private static final List<String> ENDINGS = List.of("", ".gz", ".bz2", ".zst");

  @TempDir Path dir;

  private static byte[] compressed(byte[] bytes, String ending) throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (OutputStream out = compressor(packed, ending)) {
      out.write(bytes);
    }
    return packed.toByteArray();
  }

  private static OutputStream compressor(OutputStream out, String ending) throws IOException {
    return switch (ending) {
      case ".gz" -> new GZIPOutputStream(out);
      case ".bz2" -> new BZip2CompressorOutputStream(out, 1);
      case ".zst" -> new ZstdOutputStream(out);
      default -> out;
    };
  }

  /** What the slices of a file hold; the id does not tell how it was compressed. */
  private List<Document> read(String name, byte[] bytes, SplitFormat format, int slices)
      throws IOException {
    Path path = Files.write(dir.resolve(name), bytes);
    SourceFile file = new SourceFile(path.toString(), name, "s", bytes.length, "f");
    List<Document> documents = new ArrayList<>();
    for (int slice = 0; slice < slices; slice++) {
      Split split = new Split(file, 0, bytes.length, slice, slices);
      try (DocumentIterator iterator = format.open(split, STORAGE)) {
        iterator.forEachRemaining(documents::add);
      }
    }
    return documents;
  }

  private static List<String> sorted(List<Document> documents) {
    return told(documents).stream().sorted().toList();
  }

  private static SplitFormat format(String name) {
    return switch (name) {
      case "jsonl" -> new LineFiles(new JsonLines(RECORDS), RECORDS);
      case "json" -> new StreamedFiles(new JsonFormat(RECORDS), RECORDS);
      case "csv" -> new StreamedFiles(new CsvFormat(RECORDS), RECORDS);
      default -> new StreamedFiles(new SeparatedText(RECORDS), RECORDS);
    };
  }

  private static byte[] content(String format, int documents) {
    Random random = new Random(1);
    StringBuilder text = new StringBuilder(format.equals("json") ? "[" : "");
    text.append(format.equals("csv") ? "text,n\n" : "");
    for (int i = 0; i < documents; i++) {
      String words = i + " 第" + random.nextLong() + "篇";
      text.append(
          switch (format) {
            case "jsonl" -> "{\"text\": \"" + words + "\"}\n";
            case "json" -> (i == 0 ? "" : ",\n") + "{\"text\": \"" + words + "\"}";
            case "csv" -> "\"" + words + "\"," + i + "\n";
            default -> words + "\n<|endoftext|>\n";
          });
    }
    return text.append(format.equals("json") ? "]" : "")
        .toString()
        .getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void compression_and_slices_change_no_document() throws IOException {
    for (String format : List.of("jsonl", "json", "csv", "txt")) {
      byte[] content = content(format, 1_000);
      List<String> plain = told(read("a." + format, content, format(format), 1));
      assertThat(plain).as(format).hasSize(1_000).doesNotHaveDuplicates();
      for (String ending : ENDINGS.subList(1, ENDINGS.size())) {
        String name = "a." + format + ending;
        byte[] packed = compressed(content, ending);
        assertThat(told(read(name, packed, format(format), 1))).as(name).isEqualTo(plain);
        assertThat(sorted(read(name, packed, format(format), 3)))
            .as(name + " in slices")
            .isEqualTo(plain.stream().sorted().toList());
        byte[] twice = Arrays.copyOf(packed, 2 * packed.length);
        System.arraycopy(packed, 0, twice, packed.length, packed.length);
        if (format.equals("jsonl")) {
          assertThat(read(name, twice, format(format), 1)).as("two members").hasSize(2_000);
        }
      }
    }
  }

  @Test
  void a_compressed_file_that_is_cut_off_gives_what_was_read_and_one_broken_record()
      throws IOException {
    for (String format : List.of("jsonl", "json", "csv", "txt")) {
      byte[] content = content(format, 8_000);
      List<String> plain = told(read("a." + format, content, format(format), 1));
      for (String ending : ENDINGS.subList(1, ENDINGS.size())) {
        String name = "a." + format + ending;
        byte[] packed = compressed(content, ending);
        byte[] cut = Arrays.copyOf(packed, packed.length * 9 / 10);
        List<Document> documents = read(name, cut, format(format), 1);
        int whole = documents.size() - 1;
        assertThat(whole).as(name).isGreaterThan(1_000);
        assertThat(told(documents.subList(0, whole))).as(name).isEqualTo(plain.subList(0, whole));
        assertThat(told(documents.get(whole)))
            .as(name)
            .startsWith(
                "broken_record: file cut off or damaged after %,d records".formatted(whole));
        assertThat(sorted(read(name, cut, format(format), 3)))
            .as(name + " in slices")
            .isEqualTo(sorted(documents));
      }
    }
  }

  @Test
  void what_is_not_compressed_as_its_name_says_is_one_broken_record() throws IOException {
    for (String ending : ENDINGS.subList(1, ENDINGS.size())) {
      assertThat(told(read("a.jsonl" + ending, content("jsonl", 10), format("jsonl"), 2)))
          .as(ending)
          .singleElement()
          .asString()
          .startsWith("broken_record: file cut off or damaged after 0 records: ");
    }
  }
}
