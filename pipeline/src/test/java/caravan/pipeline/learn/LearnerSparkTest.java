package caravan.pipeline.learn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.StageOutput;
import caravan.pipeline.Storage;
import caravan.pipeline.TestSpark;
import caravan.pipeline.clean.CleanConfig;
import caravan.pipeline.clean.CleanStage;
import caravan.pipeline.clean.Cleaner;
import caravan.pipeline.clean.Learned;
import caravan.pipeline.clean.ListFiles;
import caravan.pipeline.clean.Story;
import caravan.pipeline.read.CorpusReader;
import caravan.pipeline.read.ReadConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Toy corpora whose survivors are spelled out, cleaned by rules that are learned from them. */
class LearnerSparkTest {
  private static final SparkSession spark = TestSpark.session();
  private static final Configuration conf = spark.sparkContext().hadoopConfiguration();
  private static final List<String> PORT =
      List.of(
          "清晨的港口十分安静，只有几只海鸥在水面上盘旋。",
          "一位戴着蓝色帽子的老人坐在墙边修补渔网，多年来他一直如此。",
          "当渡轮绕过海角的时候，汽笛声惊醒了村里所有的狗，它们叫个不停。",
          "傍晚的时候老人回到村里，海面上只有渡轮的灯光。");

  @TempDir Path dir;
  private CleanConfig clean;
  private ReadConfig read;

  @BeforeEach
  void settings() throws IOException {
    read = ReferenceConf.read("read", ReadConfig.class, "source = s, id-field = id");
    Files.createDirectories(dir.resolve("raw"));
  }

  private void settings(String overrides) {
    clean = ReferenceConf.read("clean", CleanConfig.class, overrides);
  }

  private void write(String file, Map<String, Map<String, String>> documents) throws IOException {
    StringBuilder lines = new StringBuilder();
    documents.forEach(
        (id, fields) -> {
          Map<String, String> record = new TreeMap<>(fields);
          record.put("id", id);
          lines.append(Json.compact(record)).append('\n');
        });
    Files.createDirectories(dir.resolve(file).getParent());
    Files.writeString(dir.resolve(file), lines);
  }

  private static Map<String, String> text(String text) {
    return Map.of("text", text);
  }

  private Learner.Run run() {
    Inputs inputs = Inputs.resolve(conf, dir.resolve("raw").toString());
    return new Learner.Run(clean, ListFiles.NONE, read, inputs, new CorpusReader(inputs, read));
  }

  private Learned learn(boolean force) {
    return new Learner(spark, dir.resolve("out").toString(), force).learn(run());
  }

  /** Cleans as the command does; returns what was learned. */
  private Learned clean() {
    Learned learned = learn(false);
    Learner.Run run = run();
    new StageOutput(spark, dir.resolve("out").toString(), new StageOutput.Limits(true, 0.05))
        .run(
            new CleanStage(new Cleaner(clean, ListFiles.NONE, learned)),
            run.inputs(),
            run.source(),
            Map.of("clean", clean, "learned", learned.digests()),
            false);
    return learned;
  }

  private Map<String, Document> kept() {
    return StageOutput.read(spark, dir.resolve("out").toString()).collectAsList().stream()
        .map(Documents::fromRow)
        .collect(Collectors.toMap(Document::id, d -> d, (a, b) -> b, TreeMap::new));
  }

  private Map<String, String> keptTexts() {
    Map<String, String> texts = new TreeMap<>();
    kept().forEach((id, d) -> texts.put(id, d.text()));
    return texts;
  }

  private Map<String, String> droppedDetails(String reason) {
    return spark
        .read()
        .parquet(dir.resolve("out/dropped/reason=" + reason).toString())
        .collectAsList()
        .stream()
        .collect(
            Collectors.toMap(
                r -> r.getAs("id"), r -> r.getAs("detail"), (a, b) -> b, TreeMap::new));
  }

  private List<String> files(String folder) throws IOException {
    try (Stream<Path> files = Files.walk(dir.resolve("out").resolve(folder))) {
      return files.filter(Files::isRegularFile).map(Path::toString).sorted().toList();
    }
  }

  /** Six documents like the reference and four of its characters in another order. */
  private void perplexityCorpus() throws IOException {
    Map<String, Map<String, String>> reference = new TreeMap<>();
    IntStream.range(0, 12)
        .forEach(
            i -> reference.put("r" + i, text(PORT.get(i % 4) + PORT.get((i + i / 4 + 1) % 4))));
    write("reference/port.jsonl", reference);
    Map<String, Map<String, String>> documents = new TreeMap<>();
    for (int i = 0; i < 6; i++) {
      documents.put("good " + i, text(PORT.get(i % 4) + PORT.get((i + 2) % 4)));
    }
    for (int i = 0; i < 4; i++) {
      documents.put("junk " + i, text(backwards(PORT.get(i) + PORT.get((i + 1) % 4))));
    }
    write("raw/a.jsonl", documents);
    settings(
        "keep-languages = [zh], zh { filters = [perplexity], perplexity { order = 2, reference = [\"%s\"] } }"
            .formatted(dir.resolve("reference/*.jsonl")));
  }

  private static String backwards(String text) {
    return new StringBuilder(text).reverse().toString();
  }

  @Test
  void documents_unlike_the_reference_are_dropped_with_what_was_measured() throws IOException {
    perplexityCorpus();
    clean();
    assertThat(kept().keySet())
        .containsExactly("good 0", "good 1", "good 2", "good 3", "good 4", "good 5");
    assertThat(kept().values().stream().map(d -> d.meta().get("perplexity_bucket")).distinct())
        .containsExactlyInAnyOrder("head", "middle");
    assertThat(Double.parseDouble(kept().get("good 0").meta().get("perplexity"))).isBetween(1., 9.);
    Map<String, String> dropped = droppedDetails("high_perplexity");
    assertThat(dropped.keySet()).containsExactly("junk 0", "junk 1", "junk 2", "junk 3");
    assertThat(dropped.get("junk 0"))
        .matches("[0-9]+\\.[0-9]+ perplexity per word, maximum [0-9]\\.[0-9]+");
  }

  @Test
  void cut_offs_stay_when_the_input_grows_so_that_new_files_alone_are_cleaned() throws IOException {
    perplexityCorpus();
    Learned first = clean();
    List<String> written = files("data");
    Map<String, Map<String, String>> more =
        new TreeMap<>(Map.of("new", text(PORT.get(0) + PORT.get(1))));
    IntStream.range(0, 6)
        .forEach(i -> more.put("more junk " + i, text(backwards(PORT.get(i % 4)) + "，".repeat(i))));
    write("raw/b.jsonl", more);
    assertThat(clean().digests()).isEqualTo(first.digests());
    assertThat(files("data")).containsAll(written).hasSize(written.size() + 1);
    assertThat(kept()).containsKey("new").hasSize(7);
    assertThat(learn(true).digests()).isNotEqualTo(first.digests());
  }

  @Test
  void another_reference_is_another_model() throws IOException {
    perplexityCorpus();
    Learned first = learn(false);
    write("reference/more.jsonl", Map.of("m", text(PORT.get(3) + PORT.get(0))));
    assertThat(learn(false).digests()).isNotEqualTo(first.digests());
    assertThat(files("models").stream().filter(f -> f.endsWith(".bin"))).hasSize(2);
  }

  @Test
  void damaged_and_useless_models_are_told() throws IOException {
    perplexityCorpus();
    learn(false);
    Path model =
        Path.of(files("models").stream().filter(f -> f.endsWith(".bin")).findFirst().get());
    byte[] bytes = Files.readAllBytes(model);
    bytes[bytes.length / 2] ^= 1;
    Files.write(model, bytes);
    assertThatThrownBy(() -> learn(false))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("checksum is not that of its record; delete it");
    write("reference/port.jsonl", Map.of("r", text("The harbour was quiet in the early morning.")));
    assertThatThrownBy(() -> learn(false))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("clean.zh.perplexity.reference")
        .hasMessageContaining("no word of the language that occurs twice");
  }

  @Test
  void a_language_without_a_document_in_the_input_is_not_judged() throws IOException {
    perplexityCorpus();
    write("raw/a.jsonl", Map.of("english", text("The harbour was quiet in the early morning.")));
    assertThat(learn(false).digests()).isEmpty();
  }

  private void page(Map<String, Map<String, String>> pages, String url, String... lines) {
    pages.put(url, Map.of("url", "https://" + url, "text", String.join("\n", lines)));
  }

  /**
   * Three pages of a site with a footer, one page of another with the same, a page often copied.
   */
  private Map<String, Map<String, String>> pages() {
    Map<String, Map<String, String>> pages = new TreeMap<>();
    page(pages, "www.port.cn/1", "港口新闻网 第1页", PORT.get(0), "本站由渡轮公司主办");
    page(pages, "port.cn/2", "港口新闻网 第23页", PORT.get(1), "", "本站由渡轮公司主办。");
    page(pages, "port.cn/3", PORT.get(2), "本站由渡轮公司主办");
    page(pages, "port.cn/4", PORT.get(3), "三字行", "本站由老人主办");
    page(pages, "other.cn/1", PORT.get(3), "本站由渡轮公司主办");
    for (int i = 0; i < 5; i++) {
      page(pages, "copies.cn/" + i, PORT.get(0), PORT.get(1));
    }
    return pages;
  }

  private void boilerplateSettings(String more) {
    settings(
        "keep-languages = [zh], zh.filters = [boilerplate-lines], boilerplate { enabled = true,"
            + " min-documents = 2, "
            + more
            + " }");
  }

  @Test
  void lines_that_pages_of_a_site_share_are_removed() throws IOException {
    write("raw/a.jsonl", pages());
    boilerplateSettings("min-share = 0.5");
    clean();
    Map<String, String> texts = keptTexts();
    assertThat(texts.get("www.port.cn/1")).isEqualTo(PORT.get(0));
    assertThat(texts.get("port.cn/2")).isEqualTo(PORT.get(1));
    assertThat(texts.get("port.cn/3")).isEqualTo(PORT.get(2));
    assertThat(texts.get("port.cn/4")).isEqualTo(PORT.get(3) + "\n三字行\n本站由老人主办");
    assertThat(texts.get("other.cn/1")).isEqualTo(PORT.get(3) + "\n本站由渡轮公司主办");
    assertThat(texts.get("copies.cn/3")).isEqualTo(PORT.get(0) + "\n" + PORT.get(1));
    assertThat(Json.MAPPER.readTree(dir.resolve("out/report.json").toFile()).get("editedAway"))
        .hasToString("{\"boilerplate_line\":53}");
  }

  @Test
  void a_line_must_be_in_enough_documents_and_in_enough_of_the_site() throws IOException {
    write("raw/a.jsonl", pages());
    boilerplateSettings("min-share = 0.6");
    clean();
    assertThat(keptTexts().get("www.port.cn/1")).isEqualTo("港口新闻网 第1页\n" + PORT.get(0));
    boilerplateSettings("min-share = 0.5, min-documents = 4");
    assertThat(clean().rules().get("zh")).containsKey("boilerplate-lines");
    assertThat(keptTexts().get("port.cn/3")).isEqualTo(PORT.get(2) + "\n本站由渡轮公司主办");
  }

  @Test
  void no_more_lines_are_learned_than_allowed_the_most_common_first() throws IOException {
    write("raw/a.jsonl", pages());
    boilerplateSettings("min-share = 0.5, max-lines = 1");
    clean();
    assertThat(keptTexts().get("www.port.cn/1")).isEqualTo("港口新闻网 第1页\n" + PORT.get(0));
  }

  @Test
  void the_site_may_be_the_directory_or_source_of_documents_without_an_address()
      throws IOException {
    for (String folder : List.of("a", "b")) {
      Map<String, Map<String, String>> documents = new TreeMap<>();
      for (int i = 0; i < 3; i++) {
        documents.put(folder + i, text(PORT.get(i) + "\n本目录由" + folder + "主办"));
      }
      write("raw/" + folder + "/x.jsonl", documents);
    }
    boilerplateSettings("min-share = 0.8, otherwise = none");
    clean();
    assertThat(keptTexts().get("a0")).isEqualTo(PORT.get(0) + "\n本目录由a主办");
    boilerplateSettings("min-share = 0.8, otherwise = source");
    clean();
    assertThat(keptTexts().get("a0")).isEqualTo(PORT.get(0) + "\n本目录由a主办");
    boilerplateSettings("min-share = 0.8, otherwise = directory");
    clean();
    assertThat(keptTexts().get("a0")).isEqualTo(PORT.get(0));
    assertThat(keptTexts().get("b2")).isEqualTo(PORT.get(2));
  }

  @Test
  void boilerplate_is_learned_again_when_the_input_changes_and_found_when_not() throws IOException {
    write("raw/a.jsonl", pages());
    boilerplateSettings("min-share = 0.4");
    Learned first = learn(false);
    List<String> files = files("models");
    assertThat(learn(false).digests()).isEqualTo(first.digests());
    Map<String, Map<String, String>> more = new TreeMap<>();
    page(more, "port.cn/5", PORT.get(1) + PORT.get(0), "本站由老人主办");
    write("raw/b.jsonl", more);
    assertThat(learn(false).digests()).isNotEqualTo(first.digests());
    assertThat(files("models")).hasSameSizeAs(files).doesNotContainAnyElementsOf(files);
  }

  @Test
  void the_story_of_a_document_tells_what_learned_rules_did() throws IOException {
    perplexityCorpus();
    write("raw/b.jsonl", pages());
    settings(
        ("keep-languages = [zh], boilerplate { enabled = true, min-documents = 2 }, zh { filters ="
                + " [boilerplate-lines, perplexity], perplexity { order = 2, reference = [\"%s\"] } }")
            .formatted(dir.resolve("reference/*.jsonl")));
    Learned learned = learn(false);
    Cleaner cleaner = new Cleaner(clean, ListFiles.NONE, learned);
    String raw = backwards(PORT.get(0)) + "\n本站由渡轮公司主办";
    Document document = new Document("1", "s", "p", "", raw, Map.of("url", "http://port.cn/9"));
    Story story = cleaner.explain(document);
    assertThat(story.steps().stream().map(Story.Step::rule))
        .containsExactly("normalize", "boilerplate-lines", "perplexity");
    assertThat(story.steps().get(1))
        .isEqualTo(
            new Story.Edit(
                "boilerplate-lines", raw, backwards(PORT.get(0)), Map.of("boilerplate_line", 10L)));
    Story.Verdict verdict = (Story.Verdict) story.steps().get(2);
    assertThat(verdict.measures()).hasSize(1);
    assertThat(verdict.drop().orElseThrow().reason()).isEqualTo("high_perplexity");
    assertThat(story.outcome()).isEqualTo(cleaner.clean(document));
    Learned found = LearnedRules.of(new Storage(conf), dir + "/out", clean, learned.digests());
    assertThat(new Cleaner(clean, ListFiles.NONE, found).explain(document)).isEqualTo(story);
    assertThat(found.digests()).isEqualTo(learned.digests());
    assertThatThrownBy(
            () -> LearnedRules.of(new Storage(conf), dir + "/raw", clean, learned.digests()))
        .hasMessageContaining("not there any more; run clean again");
    assertThat(story.outcome().document().meta()).containsEntry("perplexity_bucket", "tail");
  }

  @Test
  void quantiles_are_values_of_the_sample() {
    double[] sorted = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    assertThat(DoubleStream.of(0.3, 0.6, 0.01, 1).map(s -> Learner.quantile(sorted, s)))
        .containsExactly(3., 6., 1., 10.);
  }
}
