package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Tagged;
import caravan.pipeline.TestDocuments;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.junit.jupiter.api.Test;

class DedupStageSparkTest {
  private static final DedupConfig CONFIG = TestConfig.dedup(0.7, 64, List.of());

  private final RandomTexts random = new RandomTexts(11);
  private final List<Document> documents = new ArrayList<>();
  private final Map<String, String> texts = new TreeMap<>();

  @Test
  void copiesOfATextLeaveTheOneWithTheSmallestId() {
    String zh = random.han(80);
    String en = random.words(80);
    add("zh-2", zh);
    add("zh-1", zh);
    add("zh-3", "  " + zh.substring(0, 40) + zh.substring(40) + "\n");
    add("en-9", en);
    add("en-8", en.replace(" ", " \n"));
    add("alone", random.han(80));
    assertVerdicts(
        "alone: kept",
        "en-8: kept",
        "en-9: exact_duplicate same text as en-8, Jaccard 1.000",
        "zh-1: exact_duplicate same text as zh-3, Jaccard 1.000",
        "zh-2: exact_duplicate same text as zh-3, Jaccard 1.000",
        "zh-3: kept");
  }

  @Test
  void nearDuplicatesAreFoundInChineseEnglishAndMixedText() {
    List<String> names = List.of("zh", "en", "mixed", "rare");
    List<String> texts =
        List.of(
            random.han(200),
            random.words(200),
            random.words(90) + random.han(110),
            "𠮷".repeat(5) + random.han(100) + "😀");
    for (int i = 0; i < names.size(); i++) {
      add(names.get(i) + "-original", texts.get(i));
      String edited = texts.get(i).substring(texts.get(i).length() / 10);
      add(names.get(i) + "-shorter", edited);
      add(names.get(i) + "-other", i == 1 ? random.words(200) : random.han(200));
    }
    Map<String, String> verdicts = verdicts(new DedupStage(CONFIG, 42));
    for (int i = 0; i < names.size(); i++) {
      double jaccard = jaccard(documents.get(3 * i).text(), documents.get(3 * i + 1).text());
      assertThat(jaccard).isBetween(0.8, 0.95);
      assertThat(verdicts)
          .containsEntry(names.get(i) + "-original", "kept")
          .containsEntry(names.get(i) + "-other", "kept")
          .containsEntry(
              names.get(i) + "-shorter",
              "near_duplicate near duplicate of %s-original, Jaccard %.3f"
                  .formatted(names.get(i), jaccard));
    }
  }

  @Test
  void theLongestSurvivesThenThePreferredSourceThenTheSmallestId() {
    cluster("near-longest", ".");
    documents.add(document("near-longest-e", "web", text("near-longest") + " tail...."));
    cluster("near-priority", ".");
    documents.add(document("near-unnamed-b", "web", text("near-unnamed") + " tail!"));
    documents.add(document("near-unnamed-a", "mail", text("near-unnamed") + " tail?"));
    cluster("exact-priority", "");
    DedupConfig config = TestConfig.dedup(0.7, 64, List.of("books", "wiki"));
    assertThat(survivors(config))
        .containsExactly("exact-priority-c", "near-longest-e", "near-priority-c", "near-unnamed-a");
  }

  /** Texts of one length from four sources; with a mark, no two of them are the same. */
  private void cluster(String name, String mark) {
    String text = text(name) + " tail";
    documents.add(document(name + "-a", "web", text + mark));
    documents.add(document(name + "-b", "wiki", text + mark.replace('.', '!')));
    documents.add(document(name + "-d", "books", text + mark.replace('.', '?')));
    documents.add(document(name + "-c", "books", text + mark.replace('.', ';')));
  }

  private String text(String name) {
    return texts.computeIfAbsent(name, n -> random.words(100));
  }

  @Test
  void aChainIsOneClusterAndItsFarEndShowsItsTrueSimilarity() {
    List<String> units = new ArrayList<>(List.of(random.words(300).split(" ")));
    add("link-0", String.join(" ", units) + " longest of all of them");
    for (int link = 1; link <= 6; link++) {
      for (int i = 0; i < 20; i++) {
        units.set((link - 1) * 20 + i, random.word());
      }
      add("link-" + link, String.join(" ", units));
    }
    Map<String, String> verdicts = verdicts(new DedupStage(CONFIG, 42));
    assertThat(verdicts).containsEntry("link-0", "kept");
    for (int link = 1; link <= 6; link++) {
      double jaccard = jaccard(documents.get(0).text(), documents.get(link).text());
      assertThat(verdicts.get("link-" + link))
          .isEqualTo("near_duplicate near duplicate of link-0, Jaccard %.3f".formatted(jaccard));
    }
    assertThat(jaccard(documents.get(0).text(), documents.get(6).text())).isLessThan(0.5);
  }

  @Test
  void aStarIsOneClusterThoughItsRaysAreUnlike() {
    List<String> centre = List.of(random.words(300).split(" "));
    add("centre", String.join(" ", centre) + " and nothing more than this");
    for (int ray = 0; ray < 8; ray++) {
      List<String> units = new ArrayList<>(centre);
      for (int i = 0; i < 32; i++) {
        units.set(ray * 36 + i, random.word());
      }
      add("ray-" + ray, String.join(" ", units));
    }
    assertThat(jaccard(documents.get(1).text(), documents.get(2).text())).isLessThan(0.7);
    DedupStage stage = new DedupStage(CONFIG, 42);
    Map<String, String> verdicts = verdicts(stage);
    assertThat(verdicts.remove("centre")).isEqualTo("kept");
    assertThat(verdicts.values())
        .hasSize(8)
        .allMatch(v -> v.startsWith("near_duplicate near duplicate of centre, Jaccard 0.7"));
    assertThat(stage.counts())
        .containsEntry("clusters", 1L)
        .containsEntry("documents_in_clusters", 9L)
        .containsEntry("largest_cluster", 9L);
  }

  @Test
  void whatIsLessSimilarThanTheMinimumStays() {
    String text = random.han(300);
    String other = random.han(300);
    add("whole", text);
    add("part", text.substring(0, 250));
    add("other", other);
    add("larger-part", other.substring(0, 260));
    assertThat(jaccard(text, text.substring(0, 250))).isBetween(0.82, 0.84);
    assertThat(jaccard(other, other.substring(0, 260))).isBetween(0.86, 0.88);
    assertThat(survivors(TestConfig.dedup(0.85, 64, List.of())))
        .containsExactly("other", "part", "whole");
  }

  @Test
  void aCopyOfANearDuplicateNamesTheOneThatStays() {
    String text = random.words(100);
    String shorter = text.substring(0, text.length() - 20);
    String jaccard = "%.3f".formatted(jaccard(text, shorter));
    add("a", shorter);
    add("b", shorter);
    add("c", text);
    add("d", text);
    assertVerdicts(
        "a: near_duplicate near duplicate of c, Jaccard " + jaccard,
        "b: near_duplicate near duplicate of c, Jaccard " + jaccard,
        "c: kept",
        "d: exact_duplicate same text as c, Jaccard 1.000");
  }

  @Test
  void emptyShortAndSymbolTextsAreComparedAsFarAsTheyGo() {
    add("blank-1", "");
    add("blank-2", " \n");
    add("symbols-1", "……！！😀");
    add("symbols-2", "……！！");
    add("short-1", "你好");
    add("short-2", "你好！");
    add("short-3", "您好");
    add("surrogate", "\uD842 \uDFB7");
    assertVerdicts(
        "blank-1: exact_duplicate same text as blank-2, Jaccard 1.000",
        "blank-2: kept",
        "short-1: near_duplicate near duplicate of short-2, Jaccard 1.000",
        "short-2: kept",
        "short-3: kept",
        "surrogate: kept",
        "symbols-1: kept",
        "symbols-2: kept");
  }

  @Test
  void oneOfSeveralRowsThatAreAlikeInEverythingStays() {
    String text = random.han(60);
    add("same", text);
    add("same", text);
    add("same", text);
    List<Tagged> tagged = new DedupStage(CONFIG, 42).apply(rows(3)).collect();
    assertThat(tagged.stream().map(Tagged::reason).sorted())
        .containsExactly("exact_duplicate", "exact_duplicate", "kept");
  }

  @Test
  void thousandsOfCopiesOfATemplateCostLinearlyManyPairs() {
    String template = random.words(120);
    int size = 1000;
    for (int i = 0; i < size; i++) {
      add("t-%04d".formatted(i), template + " order number " + (1000 + i));
    }
    DedupStage stage = new DedupStage(TestConfig.dedup(0.7, 8, List.of()), 42);
    Map<String, String> verdicts = verdicts(stage);
    assertThat(verdicts.values().stream().filter("kept"::equals)).hasSize(1);
    assertThat(stage.counts()).containsEntry("largest_cluster", (long) size);
    assertThat(stage.counts().get("candidate_pairs")).isLessThan(30L * 5 * size);
  }

  @Test
  void aTemplateInAThirdOfTheCorpusCostsAsManyPairsPerDocumentAtAnySize() {
    double small = pairsPerDocument(600);
    double large = pairsPerDocument(2400);
    assertThat(large).isLessThan(1.3 * small).isLessThan(30 * 16);
  }

  /** A third of the documents is a template of which only the end differs. */
  private double pairsPerDocument(int size) {
    documents.clear();
    String template = random.words(80);
    for (int i = 0; i < size; i++) {
      add("d-%05d".formatted(i), i % 3 == 0 ? template + " " + (90_000 + i) : random.words(60));
    }
    DedupStage stage = new DedupStage(TestConfig.dedup(0.7, 16, List.of()), 42);
    Map<String, String> verdicts = verdicts(stage);
    assertThat(verdicts.values().stream().filter("kept"::equals)).hasSize(size - size / 3 + 1);
    assertThat(stage.counts()).containsEntry("largest_cluster", size / 3L);
    return (double) stage.counts().get("candidate_pairs") / size;
  }

  @Test
  void theEarliestSurvivesWhereTheRuleSaysSo() {
    String text = random.words(100);
    documents.add(dated("late", text + " and a longer end", "2024-05-01"));
    documents.add(dated("early", text, "2023-12-31"));
    documents.add(new Document("undated", "test", "a.jsonl", "en", text + " x", Map.of()));
    DedupConfig config =
        TestConfig.dedup(
            0.7, 0, 64, List.of(DedupConfig.Survivor.EARLIEST), List.of(), "published");
    assertThat(survivors(config)).containsExactly("early");
  }

  private static Document dated(String id, String text, String date) {
    return new Document(id, "test", "a.jsonl", "en", text, Map.of("published", date));
  }

  private void add(String id, String text) {
    documents.add(document(id, "test", text));
  }

  private static Document document(String id, String source, String text) {
    return new Document(id, source, "a.jsonl", "zh", text, Map.of("kind", "test"));
  }

  private JavaRDD<DocumentIterator> rows(int partitions) {
    return TestDocuments.readers(documents, partitions);
  }

  /** Id to reason and detail. */
  private Map<String, String> verdicts(DedupStage stage) {
    List<Tagged> tagged = stage.apply(rows(3)).collect();
    assertThat(tagged).hasSameSizeAs(documents);
    return tagged.stream()
        .collect(
            Collectors.toMap(
                t -> t.document().id(),
                t -> (t.reason() + " " + t.detail()).strip(),
                (a, b) -> a + ", " + b,
                TreeMap::new));
  }

  private void assertVerdicts(String... expected) {
    List<String> lines = new ArrayList<>();
    verdicts(new DedupStage(CONFIG, 42)).forEach((id, verdict) -> lines.add(id + ": " + verdict));
    assertThat(lines).containsExactly(expected);
  }

  private Set<String> survivors(DedupConfig config) {
    Map<String, String> verdicts = verdicts(new DedupStage(config, 42));
    verdicts.values().removeIf(verdict -> !verdict.equals("kept"));
    return verdicts.keySet();
  }

  /** Jaccard similarity by sets of strings, for texts of Han characters and ASCII words. */
  private static double jaccard(String a, String b) {
    Set<List<String>> first = grams(a);
    Set<List<String>> second = grams(b);
    Set<List<String>> union = new HashSet<>(first);
    union.addAll(second);
    first.retainAll(second);
    return (double) first.size() / union.size();
  }

  private static Set<List<String>> grams(String text) {
    List<String> units =
        java.util.regex.Pattern.compile("\\p{IsHan}|[a-z0-9]+")
            .matcher(text)
            .results()
            .map(match -> match.group())
            .toList();
    return IntStream.rangeClosed(0, units.size() - 5)
        .mapToObj(i -> units.subList(i, i + 5))
        .collect(Collectors.toSet());
  }
}
