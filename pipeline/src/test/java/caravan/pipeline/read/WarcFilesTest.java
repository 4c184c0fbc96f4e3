package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.SourceFile;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WarcFilesTest {
  private static final Storage STORAGE = new Storage(new Configuration(false));

  @TempDir Path dir;

  private List<Document> read(String name, byte[] bytes, String overrides, int slice, int slices)
      throws IOException {
    Path path = Files.write(dir.resolve(name), bytes);
    SourceFile file = new SourceFile(path.toString(), name, "cc", bytes.length, "f");
    Records records = new Records(ReferenceConf.read("read", ReadConfig.class, overrides));
    List<Document> documents = new ArrayList<>();
    try (DocumentIterator pages =
        new StreamedFiles(new WarcFiles(records), records)
            .open(new Split(file, 0, bytes.length, slice, slices), STORAGE)) {
      pages.forEachRemaining(documents::add);
    }
    return documents;
  }

  private List<Document> read(String name, byte[] bytes) throws IOException {
    return read(name, bytes, "", 0, 1);
  }

  private static List<String> verdicts(List<Document> documents) {
    return documents.stream()
        .map(
            d ->
                Documents.taggedIfUnreadable(d)
                    .map(t -> t.reason() + ": " + t.detail())
                    .orElse(d.text()))
        .toList();
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static WebArchive crawl() {
    String page = "<html><head><title>标题</title></head><body><nav>首页</nav><p>%s</p></body></html>";
    return new WebArchive()
        .record("warcinfo", "", "application/warc-fields", utf8("software: x\r\n"))
        .record("request", "http://a.cn/", "application/http", utf8("GET / HTTP/1.1\r\n\r\n"))
        .response(
            "http://a.cn/",
            "text/html; charset=utf-8",
            page.formatted("正文一。"),
            StandardCharsets.UTF_8)
        .response(
            "http://b.cn/",
            "text/html",
            "<meta charset=gbk>" + page.formatted("正文二。"),
            Charset.forName("GBK"))
        .response("http://c.cn/x.png", "200 OK", "image/png", new byte[] {1, 2})
        .response("http://d.cn/", "404 Not Found", "text/html", utf8("<p>没有</p>"))
        .response("http://e.cn/t", "text/plain", "纯文本 <b>", StandardCharsets.UTF_8)
        .response(
            "http://f.cn/",
            "text/html; charset=utf-8",
            "d\u00e9j\u00e0",
            StandardCharsets.ISO_8859_1)
        .record("metadata", "http://a.cn/", "application/warc-fields", utf8("x: y\r\n"))
        .record("response", "http://g.cn/", "application/http", utf8("nonsense"));
  }

  @Test
  void responses_with_text_are_documents_and_the_rest_is_told_by_reason() throws IOException {
    List<Document> documents = read("a.warc", crawl().bytes());
    assertThat(verdicts(documents))
        .containsExactly(
            "正文一。",
            "正文二。",
            "not_a_page: http://c.cn/x.png: image/png",
            "not_a_page: http://d.cn/: status 404",
            "纯文本 <b>",
            "invalid_utf8: byte 1 of the record (0xE9) is not UTF-8",
            "broken_record: http://g.cn/: no HTTP status line: \"nonsense\"");
    assertThat(documents.get(0).meta())
        .isEqualTo(
            Map.of(
                "url", "http://a.cn/",
                "date", "2024-05-18T01:58:10Z",
                "record-id", "00000000-0000-0000-0000-000000000003",
                "title", "标题"));
    assertThat(read("a.warc", crawl().bytes(), "id-field = record-id", 0, 1).get(0).id())
        .isEqualTo("00000000-0000-0000-0000-000000000003");
  }

  @Test
  void members_of_a_gzip_file_are_read_through_and_shared_by_turns() throws IOException {
    byte[] packed =
        WebArchive.gzip(
            new WebArchive().record("warcinfo", "", "application/warc-fields", utf8("x: y\r\n")),
            new WebArchive().conversion("http://a.cn/", "第一篇\n<meta charset=gbk>"),
            new WebArchive().conversion("http://b.cn/", "second"),
            new WebArchive().conversion("http://c.cn/", "第三篇𠮷"));
    List<Document> all = read("a.warc.wet.gz", packed);
    assertThat(all)
        .extracting(Document::text)
        .containsExactly("第一篇\n<meta charset=gbk>", "second", "第三篇𠮷");
    assertThat(all).extracting(Document::id).doesNotHaveDuplicates();
    List<Document> turns = read("a.warc.wet.gz", packed, "", 0, 2);
    turns.addAll(read("a.warc.wet.gz", packed, "", 1, 2));
    assertThat(turns).containsExactlyInAnyOrderElementsOf(all);
  }

  @Test
  void an_archive_that_is_cut_off_keeps_what_came_before() throws IOException {
    byte[] packed =
        WebArchive.gzip(
            new WebArchive().conversion("http://a.cn/", "第一篇"),
            new WebArchive().conversion("http://b.cn/", "second ".repeat(100)));
    assertThat(verdicts(read("a.wet.gz", Arrays.copyOf(packed, packed.length - 30))))
        .satisfiesExactly(
            d -> assertThat(d).isEqualTo("第一篇"),
            d ->
                assertThat(d)
                    .startsWith("broken_record: file cut off or damaged after 1 records: "));
    byte[] plain = new WebArchive().conversion("http://a.cn/", "text of 15 byte").bytes();
    assertThat(verdicts(read("a.wet", Arrays.copyOf(plain, plain.length - 10))))
        .singleElement()
        .asString()
        .endsWith("the record at byte 0 ends after 9 of 15 bytes");
    assertThat(verdicts(read("b.warc", utf8("no archive\n"))))
        .singleElement()
        .asString()
        .startsWith("broken_record: 11 bytes at byte 0 begin no record, wanted WARC/1.0 or 1.1");
  }

  @Test
  void a_response_longer_than_the_maximum_is_kept_aside() throws IOException {
    byte[] archive = new WebArchive().conversion("http://a.cn/", "a".repeat(200)).bytes();
    assertThat(verdicts(read("a.wet", archive, "max-document-characters = 10", 0, 1)))
        .containsExactly("too_large: http://a.cn/: 200 bytes, shown 200; maximum 160");
    assertThat(verdicts(read("a.wet", archive, "max-document-characters = 150", 0, 1)))
        .containsExactly("too_large: 200 code points, maximum 150");
  }
}
