package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.SourceFile;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WikipediaFilesTest {
  private static final Storage STORAGE = new Storage(new Configuration(false));

  private static final List<String> PAGES =
      List.of(
          WikiDump.page(1, 0, "港城 (甲)", "", "'''港城'''是-{zh-hans:软件;zh-hant:軟體}-之城𠮷。"),
          WikiDump.page(2, 10, "Template:甲", "", "模板的正文"),
          WikiDump.page(3, 0, "港", "港城 (甲)", "#REDIRECT [[港城 (甲)]]"),
          WikiDump.page(4, 0, "港城", "", "'''港城'''可以指：\n* [[港城 (甲)]]\n{{disambig}}"),
          WikiDump.page(5, 0, "什么是A&B?", "", "<ref>x</ref>[[A]] & [[b|B]] < 1"));

  @TempDir Path dir;

  private SourceFile file(String name, byte[] bytes) throws IOException {
    Path path = Files.write(dir.resolve(name), bytes);
    return new SourceFile(path.toString(), name, "zhwiki", bytes.length, "f");
  }

  private static List<Document> read(Split split, String overrides) throws IOException {
    Records records = new Records(ReferenceConf.read("read", ReadConfig.class, overrides));
    List<Document> documents = new ArrayList<>();
    try (DocumentIterator pages = new WikipediaFiles(records).open(split, STORAGE)) {
      pages.forEachRemaining(documents::add);
    }
    return documents;
  }

  private static List<Document> read(Split split) throws IOException {
    return read(split, "");
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

  @Test
  void articles_become_documents_and_the_rest_is_told_by_reason() throws IOException {
    List<Document> documents = read(Split.whole(file("a.xml", WikiDump.xml(PAGES))));
    assertThat(verdicts(documents))
        .containsExactly(
            "港城是软件之城𠮷。",
            "not_an_article: namespace 10: Template:甲",
            "redirect: 港 → 港城 (甲)",
            "disambiguation: 港城",
            "A & B < 1");
    assertThat(documents.get(0).meta())
        .isEqualTo(
            Map.of(
                "page", "1",
                "title", "港城 (甲)",
                "revision", "1001",
                "timestamp", "2024-01-02T03:04:05Z",
                "url", "https://zh.wikipedia.org/wiki/港城_(甲)"));
    assertThat(documents.get(4).meta())
        .containsEntry("url", "https://zh.wikipedia.org/wiki/什么是A&B%3F");
    List<Document> all =
        read(
            Split.whole(file("a.xml", WikiDump.xml(PAGES))),
            "id-field = page, wikipedia { redirects = true, disambiguations = true, variant = zh-tw }");
    assertThat(all).extracting(Document::id).contains("1", "3", "4", "5");
    assertThat(verdicts(all))
        .containsExactly(
            "港城是軟體之城𠮷。",
            "not_an_article: namespace 10: Template:甲",
            "REDIRECT 港城 (甲)",
            "港城可以指：\n港城 (甲)",
            "A & B < 1");
  }

  @Test
  void every_packing_gives_the_same_documents_however_it_is_cut() throws IOException {
    List<Document> whole = read(Split.whole(file("a.xml", WikiDump.xml(PAGES))));
    assertThat(whole).extracting(Document::id).doesNotHaveDuplicates();
    List<SourceFile> packings =
        List.of(
            file("a.xml", WikiDump.xml(PAGES)),
            file("b.xml.bz2", WikiDump.multistream(PAGES, 2)),
            file("c.xml.bz2", WikiDump.multistream(PAGES, 100)));
    for (SourceFile file : packings) {
      List<Document> one = read(Split.whole(file));
      assertThat(verdicts(one)).isEqualTo(verdicts(whole));
      assertThat(one.get(0).meta()).isEqualTo(whole.get(0).meta());
      for (long cut = 0; cut <= file.size(); cut++) {
        List<Document> both = read(new Split(file, 0, cut, 0, 1));
        both.addAll(read(new Split(file, cut, file.size(), 0, 1)));
        assertThat(both).as("%s cut at %d", file.relativePath(), cut).isEqualTo(one);
      }
    }
  }

  @Test
  void a_gzip_dump_is_shared_by_turns() throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
      out.write(WikiDump.xml(PAGES));
    }
    SourceFile file = file("a.xml.gz", packed.toByteArray());
    List<Document> even = read(new Split(file, 0, file.size(), 0, 2));
    List<Document> odd = read(new Split(file, 0, file.size(), 1, 2));
    assertThat(even).hasSize(3).extracting(Document::text).contains("A & B < 1");
    assertThat(odd).hasSize(2);
    assertThat(even.get(0).meta()).containsKey("url");
  }

  @Test
  void broken_pages_are_kept_aside_with_the_reason() throws IOException {
    String dump = new String(WikiDump.xml(PAGES), StandardCharsets.UTF_8);
    byte[] bytes = dump.replace("<ns>10</ns>", "").getBytes(StandardCharsets.UTF_8);
    bytes[dump.substring(0, dump.indexOf("之城𠮷")).getBytes(StandardCharsets.UTF_8).length] = 'x';
    byte[] cut = java.util.Arrays.copyOf(bytes, bytes.length - 40);
    assertThat(verdicts(read(Split.whole(file("a.xml", cut)))))
        .satisfiesExactly(
            d -> assertThat(d).matches("invalid_utf8: byte \\d+ of the record .* is not UTF-8"),
            d -> assertThat(d).isEqualTo("broken_record: page without ns"),
            d -> assertThat(d).startsWith("redirect"),
            d -> assertThat(d).startsWith("disambiguation"),
            d ->
                assertThat(d)
                    .matches("broken_record: at byte [\\d,]+: the file ends before </page>"));
    assertThat(verdicts(read(Split.whole(file("b.xml", "<html>\n</html>".getBytes())))))
        .containsExactly(
            "broken_record: no MediaWiki dump: begins with \"<html>\", wanted <mediawiki");
    assertThat(verdicts(read(Split.whole(file("b.xml.bz2", "<html>".getBytes())))))
        .containsExactly("broken_record: no block of bzip2 at its start");
  }
}
