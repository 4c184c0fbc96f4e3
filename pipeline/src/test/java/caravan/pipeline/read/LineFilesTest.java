package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.SourceFile;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LineFilesTest {
  private static final Storage STORAGE = new Storage(new Configuration(false));

  @TempDir Path dir;

  private SourceFile file(String text) throws IOException {
    Path path = Files.writeString(dir.resolve("a.txt"), text);
    return new SourceFile(path.toString(), "a.txt", "s", Files.size(path), "f");
  }

  private static List<Document> read(Split split) throws IOException {
    Records records = new Records(ReferenceConf.read("read", ReadConfig.class));
    List<Document> documents = new ArrayList<>();
    try (DocumentIterator lines =
        new LineFiles(new PlainLines(records), records).open(split, STORAGE)) {
      lines.forEachRemaining(documents::add);
    }
    return documents;
  }

  @Test
  void every_line_is_read_once_wherever_the_file_is_cut() throws IOException {
    for (String text :
        List.of("\uFEFF一\n\n二二\r\nthree\n𠮷\n", "\n\na\nb", "no break at the end", "\n", "a\n")) {
      SourceFile file = file(text);
      List<Document> whole = read(Split.whole(file));
      assertThat(whole).extracting(Document::text).isEqualTo(nonBlank(text));
      for (long first = 0; first <= file.size(); first++) {
        for (long second = first; second <= file.size(); second++) {
          List<Document> pieces = new ArrayList<>(read(new Split(file, 0, first, 0, 1)));
          pieces.addAll(read(new Split(file, first, second, 0, 1)));
          pieces.addAll(read(new Split(file, second, file.size(), 0, 1)));
          assertThat(pieces).as("cut at %d and %d", first, second).isEqualTo(whole);
        }
      }
    }
  }

  private static List<String> nonBlank(String text) {
    return text.replace("\uFEFF", "").lines().filter(line -> !line.isBlank()).toList();
  }

  @Test
  void ids_are_those_of_the_byte_position() throws IOException {
    SourceFile file = file("一\nb\n");
    assertThat(read(Split.whole(file)))
        .extracting(Document::id)
        .containsExactly(file.id(0), file.id("一\n".getBytes(StandardCharsets.UTF_8).length));
  }
}
