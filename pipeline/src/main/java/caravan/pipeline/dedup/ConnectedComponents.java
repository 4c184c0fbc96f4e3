package caravan.pipeline.dedup;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.greatest;
import static org.apache.spark.sql.functions.least;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.sum;
import static org.apache.spark.sql.functions.xxhash64;

import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Connected components by alternating large-star and small-star (Kiveris et al., "Connected
 * Components in MapReduce and Beyond", SoCC 2014). Each operation is one sort of the edges by node,
 * streamed: no neighbourhood is held in memory and no edge reaches the driver. The number of rounds
 * grows with the logarithm of the longest chain.
 */
final class ConnectedComponents {
  private static final int MAX_ROUNDS = 60;
  private static final Encoder<Row> EDGE =
      Encoders.row(
          new StructType()
              .add("node", DataTypes.LongType, false)
              .add("smaller", DataTypes.LongType, false));

  private ConnectedComponents() {}

  /**
   * @param edges rows (a: long, b: long), in any order and orientation; loops and repetitions do no
   *     harm
   * @return rows (node: long, smaller: long): each node of a component of two or more with the
   *     component's smallest node, except that node itself
   * @throws IllegalStateException if the edges still change after 60 rounds, which no graph that
   *     fits a cluster needs
   */
  static CachedRows of(Dataset<Row> edges) {
    CachedRows stars =
        new CachedRows(
            edges
                .filter(col("a").notEqual(col("b")))
                .select(greatest("a", "b").as("node"), least("a", "b").as("smaller"))
                .distinct());
    Row fingerprint = fingerprint(stars);
    for (int round = 1; round <= MAX_ROUNDS; round++) {
      CachedRows next = new CachedRows(smallStar(largeStar(stars.rows())).distinct());
      Row nextFingerprint = fingerprint(next);
      stars.close();
      if (nextFingerprint.equals(fingerprint)) {
        return next;
      }
      stars = next;
      fingerprint = nextFingerprint;
    }
    throw new IllegalStateException(
        "connected components: edges still change after "
            + MAX_ROUNDS
            + " rounds; report a defect");
  }

  /** Hangs every larger neighbour of a node on the smallest of the node and its neighbours. */
  private static Dataset<Row> largeStar(Dataset<Row> edges) {
    FlatMapFunction<Row, Row> bothWays =
        edge ->
            List.of(
                    RowFactory.create(edge.getLong(0), edge.getLong(1)),
                    RowFactory.create(edge.getLong(1), edge.getLong(0)))
                .iterator();
    return byNode(edges.flatMap(bothWays, EDGE), LargeStar::new);
  }

  /** Hangs a node and all its smaller neighbours on the smallest of them. */
  private static Dataset<Row> smallStar(Dataset<Row> edges) {
    return byNode(edges, SmallStar::new);
  }

  private static Dataset<Row> byNode(Dataset<Row> edges, StarFactory star) {
    MapPartitionsFunction<Row, Row> stream = rows -> new RowStream(rows, star.get());
    return edges
        .repartition(col("node"))
        .sortWithinPartitions("node", "smaller")
        .mapPartitions(stream, EDGE);
  }

  /** Equal for equal edge sets, and for others with a chance of 2^-64. */
  private static Row fingerprint(CachedRows edges) {
    return edges
        .rows()
        .agg(
            count(lit(1)),
            // Decimal: a long sum would overflow, which Spark's ANSI mode refuses.
            coalesce(
                sum(xxhash64(col("node"), col("smaller")).cast("decimal(20,0)")),
                lit(0).cast("decimal(30,0)")))
        .first();
  }

  private interface StarFactory extends Supplier<Star>, java.io.Serializable {}

  /** Edges (node, neighbour) arrive sorted; the first of a node holds its smallest neighbour. */
  private abstract static class Star implements BiConsumer<Row, Consumer<Row>> {
    private boolean started;
    private long node;
    private long previous;
    private long smallest;

    @Override
    public final void accept(Row edge, Consumer<Row> out) {
      long neighbour = edge.getLong(1);
      boolean first = !started || edge.getLong(0) != node;
      if (first) {
        started = true;
        node = edge.getLong(0);
        smallest = Math.min(node, neighbour);
      } else if (neighbour == previous) {
        return;
      }
      previous = neighbour;
      hang(node, neighbour, smallest, first, out);
    }

    abstract void hang(long node, long neighbour, long smallest, boolean first, Consumer<Row> out);
  }

  private static final class LargeStar extends Star {
    @Override
    void hang(long node, long neighbour, long smallest, boolean first, Consumer<Row> out) {
      if (neighbour > node) {
        out.accept(RowFactory.create(neighbour, smallest));
      }
    }
  }

  private static final class SmallStar extends Star {
    @Override
    void hang(long node, long neighbour, long smallest, boolean first, Consumer<Row> out) {
      out.accept(RowFactory.create(first ? node : neighbour, smallest));
    }
  }
}
