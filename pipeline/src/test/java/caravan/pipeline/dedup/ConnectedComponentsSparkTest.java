package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.TestSpark;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;

class ConnectedComponentsSparkTest {
  private final Random random = new Random(3);

  @Test
  void aChainIsOneComponentHungOnItsSmallestNode() {
    List<long[]> edges = new ArrayList<>();
    for (long i = 0; i < 300; i++) {
      edges.add(new long[] {i * 7919 % 301, (i + 1) * 7919 % 301});
    }
    Map<Long, Long> components = components(edges, 3);
    assertThat(components).hasSize(300).doesNotContainKey(0L);
    assertThat(components.values()).containsOnly(0L);
  }

  @Test
  void aStarIsOneComponentWhereverItsCentreSorts() {
    List<long[]> edges = new ArrayList<>();
    for (long leaf = -500; leaf < 500; leaf++) {
      edges.add(new long[] {leaf, 5000});
    }
    Map<Long, Long> components = components(edges, 2);
    assertThat(components).hasSize(1000).containsEntry(5000L, -500L);
    assertThat(components.values()).containsOnly(-500L);
  }

  /** Of a chain that no partition can shorten much, and of a star: log2(10,000) is 13.3. */
  @Test
  void theRoundsGrowWithTheLogarithmOfTheLongestChain() {
    int size = 10_000;
    List<long[]> chain = new ArrayList<>();
    List<long[]> star = new ArrayList<>();
    for (long i = 0; i < size; i++) {
      chain.add(new long[] {Shingles.mix(i), Shingles.mix(i + 1)});
      star.add(new long[] {Shingles.mix(i + 1), Shingles.mix(0)});
    }
    AtomicInteger rounds = new AtomicInteger();
    assertThat(new HashSet<>(components(chain, 3, rounds).values())).hasSize(1);
    assertThat(rounds.get()).isBetween(2, 14);
    assertThat(new HashSet<>(components(star, 3, rounds).values())).hasSize(1);
    assertThat(rounds.get()).isBetween(1, 3);
  }

  @Test
  void pairsTrianglesLoopsAndRepetitionsFallIntoTheirOwnComponents() {
    List<long[]> edges =
        List.of(
            new long[] {2, 1},
            new long[] {1, 2},
            new long[] {Long.MIN_VALUE, Long.MAX_VALUE},
            new long[] {5, 6},
            new long[] {6, 7},
            new long[] {7, 5},
            new long[] {9, 9});
    assertThat(components(edges, 2))
        .isEqualTo(Map.of(2L, 1L, Long.MAX_VALUE, Long.MIN_VALUE, 6L, 5L, 7L, 5L));
  }

  @Test
  void noEdgesMeanNoComponents() {
    assertThat(components(List.of(), 1)).isEmpty();
  }

  @Test
  void randomGraphsMatchUnionFindInAnyOrderAndPartitioning() {
    for (int edgeCount : new int[] {200, 480}) {
      List<long[]> edges = new ArrayList<>();
      for (int i = 0; i < edgeCount; i++) {
        edges.add(new long[] {node(), node()});
      }
      Map<Long, Long> expected = unionFind(edges);
      assertThat(components(edges, 1)).isEqualTo(expected);
      Collections.shuffle(edges, random);
      assertThat(components(edges, 5)).isEqualTo(expected);
    }
  }

  private long node() {
    return Shingles.mix(random.nextInt(1000));
  }

  private static Map<Long, Long> components(List<long[]> edges, int partitions) {
    return components(edges, partitions, new AtomicInteger());
  }

  private static Map<Long, Long> components(
      List<long[]> edges, int partitions, AtomicInteger rounds) {
    JavaRDD<Entry> rows =
        new JavaSparkContext(TestSpark.session().sparkContext())
            .parallelize(edges, partitions)
            .map(e -> new Entry(e[0], e[1]));
    Map<Long, Long> map = new HashMap<>();
    try (Entries components = ConnectedComponents.of(Entries.of(rows), partitions, rounds::set)) {
      for (Entry entry : components.collect()) {
        assertThat(map.put(entry.first(), entry.second())).isNull();
      }
    }
    return map;
  }

  private static Map<Long, Long> unionFind(List<long[]> edges) {
    Map<Long, Long> parents = new HashMap<>();
    for (long[] edge : edges) {
      long a = root(parents, edge[0]);
      long b = root(parents, edge[1]);
      parents.put(Math.max(a, b), Math.min(a, b));
    }
    Map<Long, Long> roots = new HashMap<>();
    for (long node : parents.keySet()) {
      long root = root(parents, node);
      if (root != node) {
        roots.put(node, root);
      }
    }
    return roots;
  }

  private static long root(Map<Long, Long> parents, long node) {
    long root = node;
    while (parents.getOrDefault(root, root) != root) {
      root = parents.get(root);
    }
    return root;
  }
}
