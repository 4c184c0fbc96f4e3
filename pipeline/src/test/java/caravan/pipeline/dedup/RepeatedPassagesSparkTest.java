package caravan.pipeline.dedup;

import static caravan.pipeline.dedup.TaggedDocuments.document;
import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Tagged;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeoutException;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class RepeatedPassagesSparkTest {
  private static final Pattern UNIT = Pattern.compile("\\p{IsHan}|[a-z0-9]+");

  private final RandomTexts texts = new RandomTexts(3);
  private final List<Document> documents = new ArrayList<>();

  /** What there is of a document by comparing every window with every other one. */
  private record Expected(int start, int end, long documents, long occurrences) {}

  @Test
  void exactlyTheRepeatedPassagesAreFound() {
    for (int seed = 0; seed < 8; seed++) {
      Random random = new Random(seed);
      boolean within = seed % 2 == 0;
      int width = seed < 4 ? 50 : 10 + random.nextInt(30);
      int minDocuments = seed % 4 == 3 ? 3 : 2;
      documents.clear();
      compose(random, width);
      SubstringConfig config =
          new SubstringConfig(RepeatAction.REPORT, width, minDocuments, within, 0.8);
      Map<String, List<Repeat>> found = report(config, 1 + seed);
      Map<String, List<Expected>> expected = oracle(config);
      assertThat(expected.values().stream().mapToInt(List::size).sum()).isGreaterThan(20);
      found.forEach(
          (id, repeats) ->
              assertThat(repeats.stream().map(RepeatedPassagesSparkTest::expected))
                  .as("document %s, width %d", id, config.minUnits())
                  .containsExactlyElementsOf(expected.get(id)));
    }
  }

  @Test
  void afterRemovalNoPassageIsInTwoDocumentsAndNoUnitIsLost() {
    for (int seed = 20; seed < 23; seed++) {
      documents.clear();
      compose(new Random(seed), 50);
      Set<String> before = documents.stream().flatMap(d -> unitsOf(d.text())).collect(toSet());
      Map<String, Tagged> tagged =
          run(new SubstringConfig(RepeatAction.REMOVE, 50, 2, false, 1), 3);
      tagged.values().removeIf(t -> !t.reason().equals(Documents.KEPT));
      assertThat(tagged.values().stream().filter(t -> !t.edits().isEmpty())).hasSizeGreaterThan(5);
      Map<List<String>, Set<String>> holders = new HashMap<>();
      Set<String> after = new HashSet<>();
      for (Tagged t : tagged.values()) {
        List<String> units = unitsOf(t.document().text()).toList();
        after.addAll(units);
        for (int at = 0; at + 50 <= units.size(); at++) {
          holders
              .computeIfAbsent(units.subList(at, at + 50), w -> new HashSet<>())
              .add(t.document().id());
        }
      }
      assertThat(holders.values().stream().filter(ids -> ids.size() > 1)).isEmpty();
      assertThat(after).isEqualTo(before);
    }
  }

  private static Stream<String> unitsOf(String text) {
    return units(text).stream().map(MatchResult::group);
  }

  private static Expected expected(Repeat r) {
    return new Expected(r.start(), r.end(), r.documents(), r.occurrences());
  }

  /** Random texts that share stretches of all lengths around the width, and repeat themselves. */
  private void compose(Random random, int width) {
    List<String> pool = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      int length = width / 2 + random.nextInt(2 * width);
      pool.add(random.nextBoolean() ? texts.han(length) : texts.words(length));
    }
    pool.add("一".repeat(width + 7));
    pool.add("二三".repeat(width));
    pool.add("a b c ".repeat(width / 2));
    for (int d = 0; d < 30; d++) {
      StringBuilder text = new StringBuilder();
      for (int part = random.nextInt(6); part >= 0; part--) {
        String piece = pool.get(random.nextInt(pool.size()));
        if (random.nextInt(3) == 0) { // its beginning or its end alone
          int cut = random.nextInt(piece.length());
          piece = random.nextBoolean() ? piece.substring(cut) : piece.substring(0, cut);
        }
        text.append(random.nextBoolean() ? texts.han(random.nextInt(40)) : "。 ");
        text.append(' ').append(random.nextInt(4) == 0 ? piece.replace(" ", ", ") : piece);
        text.append(random.nextInt(3) == 0 ? "😀" : " ");
      }
      documents.add(document("d-%02d".formatted(d), text.toString()));
    }
  }

  private Map<String, List<Repeat>> report(SubstringConfig config, int partitions) {
    Map<String, List<Repeat>> found = new TreeMap<>();
    run(config, partitions)
        .forEach(
            (id, tagged) -> found.put(id, TaggedDocuments.repeats(tagged, Repeat.PASSAGES_META)));
    return found;
  }

  private Map<String, Tagged> run(SubstringConfig config, int partitions) {
    DedupConfig dedup = TestConfig.dedup(TestConfig.lines(RepeatAction.OFF, 2), config);
    return TaggedDocuments.byId(
        new RepeatedPassages(dedup).apply(TaggedDocuments.kept(documents, partitions)));
  }

  private Map<String, List<Expected>> oracle(SubstringConfig config) {
    int width = config.minUnits();
    Map<List<String>, List<String>> windows = new HashMap<>();
    for (Document d : documents) {
      List<String> units = units(d.text()).stream().map(MatchResult::group).toList();
      for (int at = 0; at + width <= units.size(); at++) {
        windows.computeIfAbsent(units.subList(at, at + width), w -> new ArrayList<>()).add(d.id());
      }
    }
    Map<String, List<Expected>> expected = new TreeMap<>();
    for (Document d : documents) {
      expected.put(d.id(), expected(d.text(), windows, config));
    }
    return expected;
  }

  private static List<Expected> expected(
      String text, Map<List<String>, List<String>> windows, SubstringConfig config) {
    int width = config.minUnits();
    List<MatchResult> matches = units(text);
    List<String> units = matches.stream().map(MatchResult::group).toList();
    List<Expected> expected = new ArrayList<>();
    int previous = -2;
    for (int at = 0; at + width <= units.size(); at++) {
      List<String> holders = windows.get(units.subList(at, at + width));
      long different = new HashSet<>(holders).size();
      if (different < config.minDocuments() && !(config.withinDocuments() && holders.size() > 1)) {
        continue;
      }
      int end = text.codePointCount(0, matches.get(at + width - 1).end());
      int start = text.codePointCount(0, matches.get(at).start());
      Expected next = new Expected(start, end, different, holders.size());
      if (previous == at - 1) {
        Expected before = expected.remove(expected.size() - 1);
        boolean more =
            different > before.documents
                || different == before.documents && holders.size() > before.occurrences;
        next =
            new Expected(
                before.start,
                end,
                Math.max(different, before.documents),
                more ? holders.size() : before.occurrences);
      }
      expected.add(next);
      previous = at;
    }
    return expected;
  }

  private static List<MatchResult> units(String text) {
    return UNIT.matcher(text).results().collect(Collectors.toList());
  }

  @Test
  void theFirstOccurrenceStaysWholeWhateverThePartitions() {
    String zh = texts.han(120);
    String en = texts.words(90);
    for (int i = 0; i < 9; i++) {
      String own = texts.han(150 + i);
      documents.add(document("d-" + i, own + "。" + (i % 2 == 0 ? zh : en) + "。" + texts.han(100)));
    }
    SubstringConfig remove = TestConfig.substrings(RepeatAction.REMOVE, false);
    Map<String, Tagged> one = run(remove, 1);
    Collections.reverse(documents);
    Map<String, Tagged> many = run(remove, 5);
    assertThat(many).isEqualTo(one);
    // The longest document is preferred.
    assertThat(holding(one, zh)).containsExactly("d-8");
    assertThat(holding(one, en)).containsExactly("d-7");
    Document cut = one.get("d-2").document();
    Document whole = documents.get(6);
    assertThat(whole.id()).isEqualTo("d-2");
    assertThat(cut.text()).isEqualTo(whole.text().replace(zh + "。", ""));
    assertThat(one.get("d-2").edits()).containsEntry("repeated_passage", 121L);
    assertThat(TaggedDocuments.repeats(one.get("d-2"), Repeat.PASSAGES_META))
        .containsExactly(new Repeat(153, 273, 5, 5, "d-8", 159, 120, zh.substring(0, 100)));
    assertThat(TaggedDocuments.repeats(one.get("d-8"), Repeat.PASSAGES_META))
        .containsExactly(new Repeat(159, 279, 5, 5, "d-8", 159, 0, zh.substring(0, 100)));
  }

  private static List<String> holding(Map<String, Tagged> tagged, String passage) {
    return tagged.values().stream()
        .filter(t -> t.document().text().contains(passage))
        .map(t -> t.document().id())
        .toList();
  }

  @Test
  void aDocumentThatRepeatsItselfKeepsWhatItRepeatsOnce() {
    documents.add(document("refrain", texts.han(200) + "啊".repeat(300) + texts.han(200)));
    String song = texts.words(60);
    documents.add(document("song", song + ". " + texts.words(100) + " " + song + ". The end"));
    Map<String, Tagged> tagged = run(TestConfig.substrings(RepeatAction.REMOVE, true), 2);
    assertThat(tagged.get("refrain").document().text())
        .isEqualTo(documents.get(0).text().replace("啊".repeat(300), "啊".repeat(50)));
    assertThat(tagged.get("song").document().text())
        .isEqualTo(documents.get(1).text().replace(song + ". The end", "The end"));
    Map<String, Tagged> across = run(TestConfig.substrings(RepeatAction.REMOVE, false), 2);
    assertThat(across.values()).allMatch(t -> t.edits().isEmpty());
  }

  @Test
  void aDocumentThatLosesMostIsDroppedWholeAndKeepsNothingFromTheOthers() {
    String shared = texts.han(400);
    String rest = texts.han(60);
    documents.add(document("longest", shared + texts.han(300)));
    documents.add(document("loses", shared + rest)); // longer than the one that needs its rest
    documents.add(document("needs", rest + texts.han(200)));
    Map<String, Tagged> tagged = run(TestConfig.substrings(RepeatAction.REMOVE, false), 3);
    assertThat(tagged.get("loses").reason()).isEqualTo("repeated_passage");
    assertThat(tagged.get("loses").detail())
        .isEqualTo(
            "would lose 460 of 460 characters, at most 80 %, to passages of other documents;"
                + " the longest is in 2, first in longest");
    assertThat(tagged.get("loses").document().text()).isEqualTo(shared + rest);
    assertThat(tagged.get("needs").reason()).isEqualTo(Documents.KEPT);
    assertThat(tagged.get("needs").edits()).isEmpty();
    assertThat(tagged.get("longest").edits()).isEmpty();
  }

  @Test
  void aPassageInEveryDocumentCostsATaskTheSameHoweverManyThereAre() throws TimeoutException {
    String everywhere = texts.han(80);
    long few = shuffled(everywhere, 200);
    long many = shuffled(everywhere, 2000);
    assertThat(many).isBetween(1L, few * 3 / 2);
  }

  private long shuffled(String passage, int count) throws TimeoutException {
    documents.clear();
    for (int i = 0; i < count; i++) {
      documents.add(document("d-%04d".formatted(i), passage + "。".repeat(i % 7)));
    }
    return ShuffledBytes.ofLargestTask(
        () -> {
          Map<String, Tagged> tagged = run(TestConfig.substrings(RepeatAction.REMOVE, false), 4);
          assertThat(tagged).hasSize(count);
          assertThat(tagged.values().stream().filter(t -> t.reason().equals(Documents.KEPT)))
              .hasSize(1);
        });
  }
}
