package caravan.pipeline.dedup;

import java.io.Serializable;
import java.util.Comparator;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.spark.Partitioner;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;
import scala.Tuple2;

/**
 * Connected components by alternating large-star and small-star (Kiveris et al., "Connected
 * Components in MapReduce and Beyond", SoCC 2014). Each operation is one sort of the edges by node,
 * streamed: no neighbourhood is held in memory and no edge reaches the driver. The number of rounds
 * grows with the logarithm of the longest chain.
 *
 * <p>On RDDs: planning and compiling a query costs more than a round of a usual graph.
 */
final class ConnectedComponents {
  private static final int MAX_ROUNDS = 60;
  private static final StructType SCHEMA =
      new StructType()
          .add("node", DataTypes.LongType, false)
          .add("smaller", DataTypes.LongType, false);

  private ConnectedComponents() {}

  /**
   * @param edges rows that start with two longs, in any order and orientation; loops and
   *     repetitions do no harm
   * @return rows (node: long, smaller: long): each node of a component of two or more with the
   *     component's smallest node, except that node itself
   * @throws IllegalStateException if the edges still change after 60 rounds, which no graph that
   *     fits a cluster needs
   */
  static CachedRows of(Dataset<Row> edges) {
    JavaPairRDD<Long, Long> stars =
        distinct(
            edges
                .toJavaRDD()
                .filter(edge -> edge.getLong(0) != edge.getLong(1))
                .mapToPair(edge -> bigger(edge.getLong(0), edge.getLong(1))));
    Tuple2<Long, Long> fingerprint = fingerprint(stars);
    for (int round = 1; round <= MAX_ROUNDS; round++) {
      JavaPairRDD<Long, Long> next = distinct(smallStar(largeStar(stars)));
      Tuple2<Long, Long> nextFingerprint = fingerprint(next);
      stars.unpersist(false);
      stars = next;
      if (nextFingerprint.equals(fingerprint)) {
        return result(edges, stars);
      }
      fingerprint = nextFingerprint;
    }
    throw new IllegalStateException(
        "connected components: edges still change after "
            + MAX_ROUNDS
            + " rounds; report a defect");
  }

  private static CachedRows result(Dataset<Row> edges, JavaPairRDD<Long, Long> stars) {
    CachedRows result =
        new CachedRows(
            edges
                .sparkSession()
                .createDataFrame(stars.map(e -> RowFactory.create(e._1(), e._2())), SCHEMA));
    result.count();
    stars.unpersist(false);
    return result;
  }

  private static Tuple2<Long, Long> bigger(long a, long b) {
    return new Tuple2<>(Math.max(a, b), Math.min(a, b));
  }

  /** Hangs every larger neighbour of a node on the smallest of the node and its neighbours. */
  private static JavaPairRDD<Long, Long> largeStar(JavaPairRDD<Long, Long> edges) {
    return byNode(
        edges.flatMapToPair(edge -> List.of(edge, edge.swap()).iterator()), LargeStar::new);
  }

  /** Hangs a node and all its smaller neighbours on the smallest of them. */
  private static JavaPairRDD<Long, Long> smallStar(JavaPairRDD<Long, Long> edges) {
    return byNode(edges, SmallStar::new);
  }

  private static JavaPairRDD<Long, Long> distinct(JavaPairRDD<Long, Long> edges) {
    return byNode(edges, Each::new).persist(StorageLevel.MEMORY_AND_DISK_SER());
  }

  private static JavaPairRDD<Long, Long> byNode(JavaPairRDD<Long, Long> edges, StarFactory star) {
    int partitions = Math.max(1, edges.getNumPartitions());
    return edges
        .mapToPair(edge -> new Tuple2<>(edge, (Object) null))
        .repartitionAndSortWithinPartitions(new NodePartitioner(partitions), new EdgeOrder())
        .mapPartitionsToPair(sorted -> new Expansion<>(sorted, star.get()));
  }

  /** Equal for equal edge sets, and for others with a chance of about 2^-64. */
  private static Tuple2<Long, Long> fingerprint(JavaPairRDD<Long, Long> edges) {
    return edges.aggregate(
        new Tuple2<>(0L, 0L),
        (sum, e) ->
            new Tuple2<>(sum._1() + 1, sum._2() + Shingles.mix(Shingles.mix(e._1()) + e._2())),
        (a, b) -> new Tuple2<>(a._1() + b._1(), a._2() + b._2()));
  }

  private static final class NodePartitioner extends Partitioner {
    private final int partitions;

    NodePartitioner(int partitions) {
      this.partitions = partitions;
    }

    @Override
    public int numPartitions() {
      return partitions;
    }

    @Override
    public int getPartition(Object edge) {
      long node = (Long) ((Tuple2<?, ?>) edge)._1();
      return Math.floorMod(Shingles.mix(node), partitions);
    }
  }

  private static final class EdgeOrder implements Comparator<Tuple2<Long, Long>>, Serializable {
    @Override
    public int compare(Tuple2<Long, Long> a, Tuple2<Long, Long> b) {
      int byNode = Long.compare(a._1(), b._1());
      return byNode != 0 ? byNode : Long.compare(a._2(), b._2());
    }
  }

  private interface StarFactory extends Supplier<Star>, Serializable {}

  /** Edges (node, neighbour) arrive sorted; the first of a node holds its smallest neighbour. */
  private abstract static class Star
      implements BiConsumer<Tuple2<Tuple2<Long, Long>, Object>, Consumer<Tuple2<Long, Long>>> {
    private boolean started;
    private long node;
    private long previous;
    private long smallest;

    @Override
    public final void accept(
        Tuple2<Tuple2<Long, Long>, Object> sorted, Consumer<Tuple2<Long, Long>> out) {
      Tuple2<Long, Long> edge = sorted._1();
      long neighbour = edge._2();
      boolean first = !started || edge._1() != node;
      if (first) {
        started = true;
        node = edge._1();
        smallest = Math.min(node, neighbour);
      } else if (neighbour == previous) {
        return;
      }
      previous = neighbour;
      hang(edge, smallest, first, out);
    }

    /**
     * @param first whether this is the node's first neighbour
     */
    abstract void hang(
        Tuple2<Long, Long> edge, long smallest, boolean first, Consumer<Tuple2<Long, Long>> out);
  }

  private static final class LargeStar extends Star {
    @Override
    void hang(
        Tuple2<Long, Long> e, long smallest, boolean first, Consumer<Tuple2<Long, Long>> out) {
      if (e._2() > e._1()) {
        out.accept(new Tuple2<>(e._2(), smallest));
      }
    }
  }

  private static final class SmallStar extends Star {
    @Override
    void hang(
        Tuple2<Long, Long> e, long smallest, boolean first, Consumer<Tuple2<Long, Long>> out) {
      out.accept(new Tuple2<>(first ? e._1() : e._2(), smallest));
    }
  }

  private static final class Each extends Star {
    @Override
    void hang(
        Tuple2<Long, Long> e, long smallest, boolean first, Consumer<Tuple2<Long, Long>> out) {
      out.accept(e);
    }
  }
}
