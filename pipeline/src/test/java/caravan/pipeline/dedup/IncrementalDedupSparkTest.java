package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Ten daily runs beside an index and one run over all days. A daily run keeps a document exactly if
 * it is the first of its component in the graph of all documents up to its day; the single run, if
 * it is the first of its component in the graph of all.
 */
class IncrementalDedupSparkTest {
  private static final int DAYS = 10;
  private static final DedupConfig CONFIG =
      TestConfig.dedup(
          0.7,
          0,
          64,
          List.of(DedupConfig.Survivor.EARLIEST, DedupConfig.Survivor.LONGEST),
          List.of(),
          "day");

  private final RandomTexts random = new RandomTexts(21);
  private final Random dice = new Random(22);
  private final List<Document> documents = new ArrayList<>();

  @TempDir Path directory;

  @Test
  void tenDailyPartsKeepWhatOneRunKeepsAndWhatOnlyALaterDocumentConnects() {
    for (int i = 0; i < 20; i++) {
      plantCluster("cluster-" + i);
      plantBridge("bridge-" + i);
    }
    Set<String> daily = daily();
    Set<String> single = single();
    assertThat(single).isEqualTo(firstOfComponents(DAYS)).hasSize(20 + 20 + 20);
    assertThat(daily).isEqualTo(firstOfComponentsUpToEachDay()).containsAll(single);
    daily.removeAll(single);
    assertThat(daily)
        .as("of two that were kept before a third connected them, neither is taken back")
        .hasSize(20)
        .allMatch(id -> id.matches("bridge-\\d+-(left|right)"));
  }

  /** A text, copies of it and texts like it, each on any day. */
  private void plantCluster(String name) {
    List<String> units = Arrays.asList(units(dice.nextBoolean()));
    for (int i = 0; i < 6; i++) {
      List<String> edited = new ArrayList<>(units);
      if (dice.nextInt(3) > 0) {
        edited.set(dice.nextInt(edited.size()), random.word());
      }
      add(name + "-" + i, dice.nextInt(DAYS), String.join(" ", edited));
    }
    add(name + "-alone", dice.nextInt(DAYS), random.han(100));
  }

  /** Two texts that are unlike, and on a later day one that is like both. */
  private void plantBridge(String name) {
    String[] units = units(true);
    int day = 1 + dice.nextInt(DAYS - 1);
    add(name + "-left", dice.nextInt(day), joined(units, 0, 110));
    add(name + "-middle", day, joined(units, 12, 122));
    add(name + "-right", dice.nextInt(day), joined(units, 24, 134));
  }

  private String[] units(boolean words) {
    return words ? random.words(140).split(" ") : random.han(140).split("");
  }

  private static String joined(String[] units, int from, int to) {
    return String.join(" ", Arrays.copyOfRange(units, from, to));
  }

  private void add(String id, int day, String text) {
    documents.add(new Document(id, "test", "a", "en", text, Map.of("day", "2024-01-0" + day)));
  }

  private static int day(Document d) {
    return d.meta().get("day").charAt(9) - '0';
  }

  private Set<String> daily() {
    IndexedDays days = new IndexedDays(directory, CONFIG);
    Set<String> kept = new TreeSet<>();
    for (int day = 0; day < DAYS; day++) {
      int today = day;
      List<Document> part = documents.stream().filter(d -> day(d) == today).toList();
      kept.addAll(IndexedDays.kept(days.run("day-" + day, part)));
    }
    return kept;
  }

  private Set<String> single() {
    IndexedDays all = new IndexedDays(directory, CONFIG);
    return IndexedDays.kept(all.verdicts(new DedupStage(CONFIG, IndexedDays.SEED), documents));
  }

  private Set<String> firstOfComponentsUpToEachDay() {
    Set<String> kept = new TreeSet<>();
    for (int day = 0; day < DAYS; day++) {
      int today = day;
      Set<String> first = firstOfComponents(day + 1);
      documents.stream()
          .filter(d -> day(d) == today && first.contains(d.id()))
          .forEach(d -> kept.add(d.id()));
    }
    return kept;
  }

  /** By union-find over all pairs that share a bucket and are similar, or have one text. */
  private Set<String> firstOfComponents(int days) {
    List<Document> those =
        documents.stream()
            .filter(d -> day(d) < days)
            .sorted(
                Comparator.comparing(IncrementalDedupSparkTest::day)
                    .thenComparing(d -> -d.text().codePointCount(0, d.text().length()))
                    .thenComparing(Document::id))
            .toList();
    int[] parents = IntStream.range(0, those.size()).toArray();
    Map<Long, List<Integer>> buckets = new HashMap<>();
    Shingles shingles = new Shingles(CONFIG.shingleUnits());
    List<long[]> sets = those.stream().map(d -> shingles.set(d.text())).toList();
    LshBands bands = new LshBands(CONFIG.bands(), CONFIG.rowsPerBand(), CONFIG.diagonalBands());
    MinHash minHash = new MinHash(bands.permutations(), IndexedDays.SEED);
    int[] signature = new int[bands.permutations()];
    for (int i = 0; i < those.size(); i++) {
      minHash.sign(sets.get(i), sets.get(i).length, signature);
      for (int band = 0; band < bands.buckets(); band++) {
        List<Integer> bucket =
            buckets.computeIfAbsent(bands.bucket(signature, band), b -> new ArrayList<>());
        for (int j : bucket) {
          if (Shingles.jaccard(sets.get(i), sets.get(j)) >= CONFIG.minimumSimilarity()) {
            int a = root(parents, i);
            int b = root(parents, j);
            parents[Math.max(a, b)] = Math.min(a, b);
          }
        }
        bucket.add(i);
      }
    }
    return IntStream.range(0, those.size())
        .filter(i -> parents[i] == i)
        .mapToObj(i -> those.get(i).id())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static int root(int[] parents, int node) {
    int at = node;
    while (parents[at] != at) {
      at = parents[at];
    }
    return at;
  }
}
