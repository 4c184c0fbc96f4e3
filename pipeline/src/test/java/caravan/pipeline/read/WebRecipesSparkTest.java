package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import caravan.pipeline.TestSpark;
import caravan.pipeline.clean.CleanConfig;
import caravan.pipeline.clean.CleanStage;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The recipes of corpora from the web, on files of their shape, through the whole stage. */
class WebRecipesSparkTest {
  private static final SparkSession spark = TestSpark.session();

  private static final String ZH =
      """
      '''港城'''（{{lang-en|Port City}}，{{bd|1900年|1月2日||}}），是一座位於河口的城市<ref>{{cite book|title=x}}</ref>，面積約三百平方公里，人口約二十萬。

      == 歷史 ==
      早在一千年以前，這裡就有漁民居住，他們在[[河口|港灣]]邊修建了房屋，並且與鄰近的城鎮交換鹽和魚。-{zh-hans:计算机;zh-hant:電腦}-在一九六〇年代進入當地的學校。
      [[File:a.jpg|thumb|港口]]
      後來的兩百年裡，這座城市建起了學校、醫院和圖書館，居民的生活逐漸變得富裕而安定，許多外地人也搬到這裡居住。

      == 參考資料 ==
      {{reflist}}
      * 一本書
      """;
  private static final String EN =
      """
      '''Port City''' ({{lang-zh|c=港城}}) is a town of {{convert|300|km2}} at the mouth of a river, and it has been the home of about two hundred thousand people since the end of the last century.<ref>x</ref>

      == History ==
      The first people who lived there were fishermen. They built their houses around the [[bay (geography)|bay]], and they traded salt and fish with the towns that lay further up the river. In the centuries that followed, the town built a school, a library and a hospital, and many people from other parts of the country have moved to it since then.

      == See also ==
      * [[Another town]]
      """;

  @TempDir Path dir;

  /** Kept texts by id or title; counts go to the report. */
  private Map<String, Document> clean(String recipe, StageReport[] report) {
    Inputs inputs =
        Inputs.resolve(spark.sparkContext().hadoopConfiguration(), dir.resolve("raw").toString());
    ReadConfig read = ReferenceConf.recipe(recipe, "read", ReadConfig.class);
    CleanConfig clean = ReferenceConf.recipe(recipe, "clean", CleanConfig.class);
    StageOutput output =
        new StageOutput(
            spark,
            dir.resolve("out").toString(),
            new StageOutput.Limits(false, read.maxBrokenFraction()));
    report[0] =
        output
            .run(new CleanStage(clean), inputs, new CorpusReader(inputs, read), Map.of(), false)
            .report();
    return spark.read().parquet(dir.resolve("out/data").toString()).collectAsList().stream()
        .map(Documents::fromRow)
        .collect(Collectors.toMap(d -> d.meta().get("title"), d -> d, (a, b) -> b, TreeMap::new));
  }

  private void write(String name, byte[] bytes) throws IOException {
    Files.createDirectories(dir.resolve("raw"));
    Files.write(dir.resolve("raw").resolve(name), bytes);
  }

  private static Map<String, Long> dropped(StageReport report) {
    return report.droppedByReason().entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, e -> e.getValue().documents()));
  }

  @Test
  void chinese_wikipedia_becomes_articles_in_simplified_characters() throws IOException {
    List<String> pages =
        List.of(
            WikiDump.page(1, 0, "港城", "", ZH),
            WikiDump.page(2, 0, "港", "港城", "#REDIRECT [[港城]]"),
            WikiDump.page(3, 10, "Template:Bd", "", "{{{1}}}"),
            WikiDump.page(4, 0, "港 (消歧義)", "", "'''港'''：\n* [[港城]]\n{{消歧义}}"));
    write("zhwiki-20240101-pages-articles-multistream.xml.bz2", WikiDump.multistream(pages, 2));
    StageReport[] report = new StageReport[1];
    Map<String, Document> kept = clean("wikipedia-zh", report);
    assertThat(kept).containsOnlyKeys("港城");
    assertThat(kept.get("港城").text())
        .isEqualTo(
            """
            港城（Port City，1900年1月2日—），是一座位于河口的城市，面积约三百平方公里，人口约二十万。

            历史
            早在一千年以前，这里就有渔民居住，他们在港湾边修建了房屋，并且与邻近的城镇交换盐和鱼。计算机在一九六〇年代进入当地的学校。

            后来的两百年里，这座城市建起了学校、医院和图书馆，居民的生活逐渐变得富裕而安定，许多外地人也搬到这里居住。""");
    assertThat(kept.get("港城").source()).isEqualTo("wikipedia-zh");
    assertThat(dropped(report[0]))
        .isEqualTo(Map.of("redirect", 1L, "not_an_article", 1L, "disambiguation", 1L));
  }

  @Test
  void english_wikipedia_becomes_articles() throws IOException {
    write(
        "enwiki-20240101-pages-articles.xml",
        WikiDump.xml(List.of(WikiDump.page(1, 0, "Port City", "", EN))));
    StageReport[] report = new StageReport[1];
    assertThat(clean("wikipedia-en", report).get("Port City").text())
        .startsWith("Port City is a town of 300 km2 at the mouth")
        .contains("\n\nHistory\nThe first people", "around the bay, and")
        .endsWith("moved to it since then.");
    assertThat(dropped(report[0])).isEmpty();
  }

  @Test
  void common_crawl_becomes_the_main_content_of_pages() throws IOException {
    String page =
        "<html><head><meta charset=\"%s\"><title>%s</title></head><body><div class=\"nav\"><a href=/>%s</a></div>"
            + "<div class=\"article\">%s</div><div id=\"footer\">Copyright 2024</div></body></html>";
    String zh =
        paragraphs(ZH.replaceAll("(?s)<ref>.*?</ref>|\\{\\{.*?}}|\\[\\[.*?]]|-\\{.*?}-|[='*]", ""));
    String en = paragraphs(EN.replaceAll("(?s)<ref>.*?</ref>|\\{\\{.*?}}|\\[\\[.*?]]|[='*]", ""));
    write(
        "CC-MAIN-20240518015810-00000.warc.gz",
        WebArchive.gzip(
            new WebArchive().record("warcinfo", "", "application/warc-fields", new byte[0]),
            new WebArchive()
                .response(
                    "http://a.cn/",
                    "text/html",
                    page.formatted("gbk", "港城", "首页", zh),
                    Charset.forName("GBK")),
            new WebArchive()
                .record("skipped", "http://x/", "x", new byte[0])
                .response(
                    "http://b.org/",
                    "text/html; charset=utf-8",
                    page.formatted("utf-8", "Port", "Home", en),
                    StandardCharsets.UTF_8),
            new WebArchive()
                .record("skipped", "http://x/", "x", new byte[0])
                .record("skipped", "http://x/", "x", new byte[0])
                .response("http://c.org/a.png", "200 OK", "image/png", new byte[] {1, 2, 3})));
    StageReport[] report = new StageReport[1];
    Map<String, Document> kept = clean("common-crawl", report);
    assertThat(kept).containsOnlyKeys("Port", "港城");
    assertThat(kept.get("港城").id()).isEqualTo("00000000-0000-0000-0000-000000000001");
    assertThat(kept.get("港城").meta()).containsEntry("url", "http://a.cn/");
    assertThat(kept.get("港城").text()).startsWith("港城（").doesNotContain("首页", "Copyright");
    assertThat(dropped(report[0])).isEqualTo(Map.of("not_a_page", 1L));
  }

  private static String paragraphs(String text) {
    return text.lines()
        .filter(line -> line.length() > 20)
        .map(line -> "<p>" + line + "</p>")
        .collect(Collectors.joining("\n"));
  }
}
