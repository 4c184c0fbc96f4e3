package caravan.model.train;

import caravan.model.train.StateBlocks.Head;
import caravan.model.train.StateBlocks.Part;
import caravan.model.train.StateBlocks.Values;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.ContextCleaner;
import org.apache.spark.Partitioner;
import org.apache.spark.ShuffleDependency;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.storage.StorageLevel;
import org.deeplearning4j.nn.graph.ComputationGraph;
import scala.Option;
import scala.Tuple2;

/**
 * The exchange through Spark's own shuffle: every worker's task writes its state in slices, a
 * reducing task per slice sums the workers' in worker order and keeps the mean on its executor, and
 * the next round's workers read all slices into the graphs that they have. What passes the driver
 * is the workers' reports. The arithmetic of each number is {@link StockExchange}'s, so the bits
 * are too.
 */
final class SlicedExchange implements Exchange {
  private final JavaSparkContext spark;
  private final String configurationJson;
  private final Slicing slicing;
  private StateBlocks state;

  /**
   * @param configurationJson of the graphs that the workers train
   * @param slicing of their state
   */
  SlicedExchange(JavaSparkContext spark, String configurationJson, Slicing slicing) {
    this.spark = spark;
    this.configurationJson = configurationJson;
    this.slicing = slicing;
  }

  /** The state that the next round starts from; whoever keeps it retains it. */
  StateBlocks state() {
    return state;
  }

  /**
   * Takes one graph's state as it is.
   *
   * @param graph one partition with one graph, whose report has no steps
   * @param step updates done so far
   */
  void begin(JavaRDD<TrainedGraph> graph, int step) {
    run(graph, step);
  }

  @Override
  public Start start() {
    return new Sent(configurationJson, state.reader());
  }

  @Override
  public List<WorkerReport> average(JavaRDD<TrainedGraph> trained) {
    return run(trained, state.step());
  }

  private List<WorkerReport> run(JavaRDD<TrainedGraph> trained, int step) {
    Slicing cut = slicing;
    JavaPairRDD<Integer, Piece> pieces =
        JavaPairRDD.fromJavaRDD(
                trained.mapPartitionsWithIndex((worker, graphs) -> pieces(graphs, cut), true))
            .partitionBy(new OneEach(cut.count()));
    int shuffle = ((ShuffleDependency<?, ?, ?>) pieces.rdd().dependencies().head()).shuffleId();
    JavaRDD<Part> means = pieces.values().mapPartitions(SlicedExchange::mean);
    means.persist(StorageLevel.DISK_ONLY());
    // The blocks are all that later rounds have of it: its lineage would grow with every round.
    means.rdd().localCheckpoint();
    try {
      List<WorkerReport> reports = means.mapPartitions(SlicedExchange::reports).collect();
      if (reports.isEmpty()) {
        throw new IllegalStateException("training round: no worker got a batch");
      }
      int steps = reports.stream().mapToInt(report -> report.steps().size()).max().orElseThrow();
      replace(new StateBlocks(means, cut, step + steps));
      return reports;
    } catch (Exception e) {
      means.unpersist(false);
      throw e;
    } finally {
      forget(shuffle);
    }
  }

  private void replace(StateBlocks next) {
    release();
    state = next;
  }

  /** Frees the state that the next round would start from, unless others have retained it. */
  void release() {
    if (state != null) {
      state.release();
      state = null;
    }
  }

  /** Deletes a shuffle's files now: they are as large as all workers' states together. */
  private void forget(int shuffle) {
    Option<ContextCleaner> cleaner = spark.sc().cleaner();
    if (cleaner.isDefined()) {
      cleaner.get().doCleanupShuffle(shuffle, false);
    }
  }

  /** A worker's state, slice by slice, each read when it is asked for. */
  private static Iterator<Tuple2<Integer, Piece>> pieces(
      Iterator<TrainedGraph> graphs, Slicing slicing) {
    if (!graphs.hasNext()) {
      return List.<Tuple2<Integer, Piece>>of().iterator();
    }
    TrainedGraph trained = graphs.next();
    int count = slicing.count();
    return new Iterator<>() {
      private int next;

      @Override
      public boolean hasNext() {
        return next < count;
      }

      @Override
      public Tuple2<Integer, Piece> next() {
        byte[] bytes = GraphMemory.read(trained.graph(), slicing.slice(next));
        WorkerReport report = trained.report();
        Piece piece =
            new Piece(
                report.worker(),
                report.targetTokens(),
                next == 0 ? List.of(report) : List.of(),
                bytes);
        if (next + 1 == count) {
          trained.giveBack();
        }
        return new Tuple2<>(next++, piece);
      }
    };
  }

  /** The mean of all workers' pieces of one slice. */
  private static Iterator<Part> mean(Iterator<Piece> arriving) {
    List<Piece> pieces = new ArrayList<>();
    arriving.forEachRemaining(pieces::add);
    if (pieces.isEmpty()) {
      return List.<Part>of(new Head(List.of())).iterator();
    }
    pieces.sort(Comparator.comparingInt(piece -> piece.worker));
    MeanWeights weights = MeanWeights.of(pieces.stream().map(piece -> piece.targetTokens).toList());
    byte[] sum = new byte[pieces.get(0).bytes.length];
    for (int i = 0; i < pieces.size(); i++) {
      SliceArithmetic.add(sum, pieces.get(i).bytes, weights.weights()[i]);
    }
    SliceArithmetic.divide(sum, weights.divisor());
    Head head = new Head(pieces.stream().flatMap(piece -> piece.report.stream()).toList());
    return List.<Part>of(head, new Values(sum)).iterator();
  }

  /** A block's reports alone; the rest of it is not read. */
  private static Iterator<WorkerReport> reports(Iterator<Part> block) {
    return ((Head) block.next()).reports().iterator();
  }

  /**
   * A worker's part of a slice.
   *
   * @param targetTokens its weight
   * @param report with the first slice
   */
  private record Piece(int worker, long targetTokens, List<WorkerReport> report, byte[] bytes)
      implements Serializable {}

  private record Sent(String configurationJson, StateBlocks.Reader state) implements Start {
    @Override
    public void into(ComputationGraph graph) {
      state.into(graph);
    }

    @Override
    public void close() {
      // The state is freed when the next one is whole.
    }
  }

  /** Slice i into partition i. */
  private static final class OneEach extends Partitioner {
    private static final long serialVersionUID = 1;
    private final int slices;

    OneEach(int slices) {
      this.slices = slices;
    }

    @Override
    public int numPartitions() {
      return slices;
    }

    @Override
    public int getPartition(Object slice) {
      return (Integer) slice;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof OneEach that && slices == that.slices;
    }

    @Override
    public int hashCode() {
      return slices;
    }
  }
}
