package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import caravan.pipeline.TestSpark;
import com.github.luben.zstd.Zstd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.apache.hadoop.io.compress.BZip2Codec;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CorpusReaderSparkTest {
  private static final SparkSession spark = TestSpark.session();

  @TempDir Path dir;

  private List<Document> read(String input, String overrides) {
    return read(input, overrides, Long.MAX_VALUE);
  }

  private List<Document> read(String input, String overrides, long splitBytes) {
    CorpusReader reader = reader(input, overrides);
    Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
    List<Document> documents = new ArrayList<>();
    for (Split split : reader.splits(List.of(), splitBytes)) {
      try (DocumentIterator iterator = reader.open(split, storage)) {
        iterator.forEachRemaining(documents::add);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    documents.sort(Comparator.comparing(Document::path).thenComparing(Document::text));
    return documents;
  }

  private CorpusReader reader(String input, String overrides) {
    return new CorpusReader(
        Inputs.resolve(spark.sparkContext().hadoopConfiguration(), dir + "/" + input),
        ReferenceConf.read("read", ReadConfig.class, overrides));
  }

  private void write(String name, String text) throws IOException {
    write(name, text.getBytes(StandardCharsets.UTF_8));
  }

  private void write(String name, byte[] bytes) throws IOException {
    Files.createDirectories(dir.resolve(name).getParent());
    Files.write(dir.resolve(name), bytes);
  }

  private static List<String> texts(List<Document> documents) {
    return documents.stream().map(Document::text).toList();
  }

  /** Why a record is unreadable; empty for a document. */
  private static String fault(Document d) {
    return Documents.taggedIfUnreadable(d)
        .map(tagged -> tagged.reason() + ": " + tagged.detail())
        .orElse("");
  }

  @Test
  void jsonl_keeps_the_records_own_id_and_other_fields() throws IOException {
    write(
        "a.jsonl",
        "{\"id\": \"x1\", \"text\": \"第一𠮷\", \"n\": 3, \"tags\": [\"a\"], \"none\": null}\r\n"
            + "\n{\"id\": 2, \"text\": \"second\"}");
    assertThat(read("a.jsonl", "id-field = id"))
        .containsExactly(
            new Document("2", "a", "a.jsonl", "", "second", Map.of()),
            new Document("x1", "a", "a.jsonl", "", "第一𠮷", Map.of("n", "3", "tags", "[\"a\"]")));
    assertThat(read("a.jsonl", "source-field = id"))
        .extracting(Document::source)
        .containsExactly("2", "x1");
  }

  @Test
  void made_ids_differ_within_a_file_and_survive_a_move() throws IOException {
    String lines = "{\"text\": \"same\"}\n{\"text\": \"same\"}\n";
    write("corpus/a.jsonl", lines);
    write("corpus/deep/a.jsonl", lines);
    List<String> ids = read("corpus", "").stream().map(Document::id).toList();
    assertThat(ids).hasSize(4).doesNotHaveDuplicates().allMatch(id -> id.matches("[0-9a-f]{32}"));
    Files.createDirectories(dir.resolve("elsewhere"));
    Files.move(dir.resolve("corpus"), dir.resolve("elsewhere/corpus"));
    assertThat(read("elsewhere/corpus", "")).extracting(Document::id).isEqualTo(ids);
    assertThat(read("elsewhere/corpus/*", ""))
        .as("named by a glob")
        .extracting(Document::id)
        .isEqualTo(ids);
  }

  @Test
  void compressed_lines_have_the_same_ids_as_the_file_that_is_read_in_splits() throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 5_000; i++) {
      lines.append("{\"text\": \"line ").append(i).append(" 第行\"}\n");
    }
    write("plain/corpus.jsonl", lines.toString());
    write("zipped/corpus.jsonl.gz", new byte[0]);
    try (OutputStream out =
        new GZIPOutputStream(Files.newOutputStream(dir.resolve("zipped/corpus.jsonl.gz")))) {
      out.write(lines.toString().getBytes(StandardCharsets.UTF_8));
    }
    List<Document> plain = read("plain", "source = s", 5000);
    List<Document> zipped = read("zipped", "source = s");
    assertThat(plain).hasSize(5_000);
    assertThat(plain).extracting(Document::id).doesNotHaveDuplicates();
    assertThat(texts(zipped)).isEqualTo(texts(plain));
    assertThat(read("plain", "source = s")).isEqualTo(plain);
    assertThat(reader("plain", "source = s").rows(spark).count()).isEqualTo(5_000);
  }

  @Test
  void broken_records_are_kept_aside_with_the_reason() throws IOException {
    write(
        "a.jsonl",
        concat(
            "{\"text\": \"good\"}\n{\"text\": \"cut\n[1]\n{\"content\": 1}\n{\"text\": 7}\n",
            new byte[] {'{', '"', (byte) 0xC3, '"', '\n'}));
    assertThat(read("a.jsonl", ""))
        .extracting(CorpusReaderSparkTest::fault)
        .satisfiesExactlyInAnyOrder(
            fault -> assertThat(fault).isEmpty(),
            fault -> assertThat(fault).startsWith("broken_record: no JSON: Unexpected end"),
            fault -> assertThat(fault).isEqualTo("broken_record: no JSON object but an array"),
            fault ->
                assertThat(fault)
                    .isEqualTo("broken_record: no field text (read.text-field), it has [content]"),
            fault ->
                assertThat(fault)
                    .isEqualTo(
                        "broken_record: field text (read.text-field) is a number, wanted a string"),
            fault ->
                assertThat(fault)
                    .isEqualTo("invalid_utf8: byte 2 of the record (0xC3) is not UTF-8"));
    assertThat(read("a.jsonl", "id-field = id"))
        .extracting(CorpusReaderSparkTest::fault)
        .contains("broken_record: no field id (read.id-field), it has [text]");
  }

  private static byte[] concat(String text, byte[] more) {
    byte[] head = text.getBytes(StandardCharsets.UTF_8);
    byte[] all = Arrays.copyOf(head, head.length + more.length);
    System.arraycopy(more, 0, all, head.length, more.length);
    return all;
  }

  @Test
  void a_line_of_50_megabytes_is_kept_aside_or_read() throws IOException {
    String text = "字".repeat(16_700_000);
    write("big.jsonl", "{\"text\": \"" + text + "\"}\n{\"text\": \"small\"}");
    assertThat(read("big.jsonl", ""))
        .extracting(CorpusReaderSparkTest::fault)
        .containsExactlyInAnyOrder("", "too_large: 16,700,000 code points, maximum 10,000,000");
    assertThat(read("big.jsonl", "max-document-characters = 1000000"))
        .extracting(CorpusReaderSparkTest::fault)
        .contains(
            "too_large: line of 50,100,012 bytes, shown up to 4,096; maximum 1,000,000 code points");
    List<Document> all = read("big.jsonl", "max-document-characters = 20000000");
    assertThat(all).extracting(d -> d.text().length()).containsExactly(5, 16_700_000);
  }

  @Test
  void a_text_file_is_one_document_and_a_lines_file_many() throws IOException {
    write("a.txt", "\uFEFF第一行\n\nsecond");
    write("b.txt", new byte[] {'o', 'k', (byte) 0xFF});
    assertThat(texts(read("a.txt", ""))).containsExactly("第一行\n\nsecond");
    assertThat(fault(read("b.txt", "").get(0)))
        .isEqualTo("invalid_utf8: byte 2 of the record (0xFF) is not UTF-8");
    assertThat(texts(read("a.txt", "format = lines"))).containsExactly("second", "第一行");
  }

  @Test
  void csv_reads_quoted_line_breaks_and_names_rows_of_another_width() throws IOException {
    write(
        "a.csv",
        "\uFEFFtext,标签\n\"<s>Human: 你好，\"\"世界\"\"\n</s>\",a\nplain,b\ntoo,many,fields\n,empty\n");
    assertThat(read("a.csv", ""))
        .extracting(d -> d.text() + "|" + (fault(d).isEmpty() ? d.meta() : fault(d)))
        .containsExactly(
            "|{标签=empty}",
            "<s>Human: 你好，\"世界\"\n</s>|{标签=a}",
            "plain|{标签=b}",
            "too,many,fields|broken_record: 3 fields, the header has 2: [text, 标签]");
    write("b.tsv", "text\tn\none, two\t1\n");
    assertThat(read("b.tsv", "").get(0).text()).isEqualTo("one, two");
  }

  @Test
  void parquet_columns_become_text_id_and_meta() throws IOException {
    spark
        .sql(
            "select 'x1' as id, '正文' as text, 2 as n, array('a') as tags, cast(null as string) as z")
        .write()
        .parquet(dir + "/odd {name}.parquet");
    Document document = read("odd {name}.parquet", "id-field = id").get(0);
    assertThat(document.id()).isEqualTo("x1");
    assertThat(document.text()).isEqualTo("正文");
    assertThat(document.meta()).isEqualTo(Map.of("n", "2", "tags", "[\"a\"]"));
    assertThat(read("odd {name}.parquet", "").get(0).id()).hasSize(32);
    assertThat(fault(read("odd {name}.parquet", "text-field = content").get(0)))
        .isEqualTo("broken_record: no field content (read.text-field), it has [id, text, n, tags]");
  }

  @Test
  void a_file_cut_off_in_its_middle_gives_its_records_and_one_broken_one() throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 1000; i++) {
      lines.append("{\"text\": \"number ").append(i * 7919L).append("\"}\n");
    }
    ByteArrayOutputStream zipped = new ByteArrayOutputStream();
    try (OutputStream out = new GZIPOutputStream(zipped)) {
      out.write(lines.toString().getBytes(StandardCharsets.UTF_8));
    }
    write("cut.jsonl.gz", Arrays.copyOf(zipped.toByteArray(), zipped.size() / 2));
    List<Document> documents = read("cut.jsonl.gz", "");
    assertThat(fault(documents.get(0)))
        .startsWith("broken_record: file cut off or damaged after ")
        .contains("Unexpected end of input stream");
    assertThat(documents).hasSizeBetween(300, 700);
    assertThat(texts(documents)).contains("number 0");

    write("no.jsonl.gz", "this is not gzip");
    assertThat(fault(read("no.jsonl.gz", "").get(0)))
        .isEqualTo("broken_record: file cut off or damaged after 0 records: not a gzip file");
  }

  @Test
  void zstandard_and_bzip2_are_read_as_gzip_is() throws IOException {
    byte[] line = "{\"text\": \"压缩\"}\n".getBytes(StandardCharsets.UTF_8);
    write("a.jsonl.zst", Zstd.compress(line));
    BZip2Codec bzip2 = new BZip2Codec();
    bzip2.setConf(spark.sparkContext().hadoopConfiguration());
    try (OutputStream out =
        bzip2.createOutputStream(Files.newOutputStream(dir.resolve("b.jsonl.bz2")))) {
      out.write(line);
    }
    assertThat(texts(read("*.jsonl.*", ""))).containsExactly("压缩", "压缩");
    byte[] zstd = Zstd.compress(new byte[100_000]);
    write("c.txt.zst", Arrays.copyOf(zstd, zstd.length - 4));
    assertThat(fault(read("c.txt.zst", "").get(0))).contains("cut off or damaged after 0 records");
  }

  @Test
  void html_is_read_in_the_character_set_it_declares() throws IOException {
    String page = "<html><head><meta charset=\"%s\"><title>标题</title></head><p>正文，很短。</p>";
    write("utf8.html", page.formatted("utf-8"));
    write("gbk.html", page.formatted("gb2312").getBytes(Charset.forName("GBK")));
    write("wrong.html", "<p>d\u00e9j\u00e0 vu</p>".getBytes(StandardCharsets.ISO_8859_1));
    List<Document> documents = read("*.html", "");
    assertThat(documents)
        .extracting(Document::path)
        .containsExactly("gbk.html", "utf8.html", "wrong.html");
    assertThat(texts(documents.subList(0, 2))).containsExactly("正文，很短。", "正文，很短。");
    assertThat(documents.get(0).meta()).isEqualTo(Map.of("title", "标题"));
    assertThat(fault(documents.get(2))).startsWith("invalid_utf8: ");
  }

  @Test
  void mixed_formats_in_one_directory_are_told_by_their_names() throws IOException {
    write("mix/a [1].txt", "text");
    write("mix/b,2.jsonl", "{\"text\": \"json\"}");
    write("mix/c*.html", "<p>html</p>");
    write("mix/d.csv", "text\ncsv\n");
    assertThat(texts(read("mix", ""))).containsExactly("text", "json", "html", "csv");
    assertThat(read("mix", "")).extracting(Document::source).containsOnly("mix");
  }

  @Test
  void files_that_cannot_be_read_as_documents_are_named() throws IOException {
    write("x/a.pdf", "%PDF");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("x", ""))
        .withMessageContaining("a.pdf: its name does not tell its format; set read.format to text");
    write("y/a.txt", "1");
    write("z/a.txt", "2");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("y," + dir + "/z", "source = s"))
        .withMessageContaining("would share their ids (source s, path a.txt)");
  }
}
