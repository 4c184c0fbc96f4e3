package caravan.model.train;

import caravan.model.ParameterRanges;
import caravan.model.train.StateBlocks.Head;
import caravan.model.train.StateBlocks.Part;
import caravan.model.train.StateBlocks.Values;
import caravan.model.train.StateBlocks.Velocity;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.apache.spark.ContextCleaner;
import org.apache.spark.ShuffleDependency;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.storage.StorageLevel;
import org.bytedeco.javacpp.FloatPointer;
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
  private final Optional<OuterOptimizer> outer;
  private final ParameterRanges frozen;
  private StateBlocks state;

  /**
   * @param configurationJson of the graphs that the workers train
   * @param slicing of their state
   * @param outer makes the next parameters of the mean, where there is one
   * @param frozen parameters that keep every bit: the mean of equal floats may round to another
   */
  SlicedExchange(
      JavaSparkContext spark,
      String configurationJson,
      Slicing slicing,
      Optional<OuterOptimizer> outer,
      ParameterRanges frozen) {
    this.spark = spark;
    this.configurationJson = configurationJson;
    this.slicing = slicing;
    this.outer = outer;
    this.frozen = frozen;
  }

  /** The state that the next round starts from; whoever keeps it retains it. */
  StateBlocks state() {
    return state;
  }

  /** Starts the next round from this state; it is released when that round is done. */
  void become(StateBlocks next) {
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

  /** Starts the next round from a state that one task reads. */
  void begin(Origin origin) {
    Slicing cut = slicing;
    boolean moving = outer.isPresent();
    String json = configurationJson;
    JavaPairRDD<Integer, Part> parts =
        JavaPairRDD.fromJavaRDD(
                spark
                    .parallelize(List.of(origin), 1)
                    .flatMap(first -> parts(first, json, cut, moving)))
            .partitionBy(new SlicePartitioner(cut.count()));
    store(parts, parts.values(), origin.step());
  }

  @Override
  public Start start() {
    return new Sent(configurationJson, state.reader());
  }

  @Override
  public List<WorkerReport> average(JavaRDD<TrainedGraph> trained) {
    Slicing cut = slicing;
    JavaPairRDD<Integer, Piece> pieces =
        JavaPairRDD.fromJavaRDD(trained.flatMap(graph -> pieces(graph, cut)))
            .partitionBy(new SlicePartitioner(cut.count()));
    JavaRDD<Part> blocks;
    if (outer.isPresent() || frozen.count() > 0) {
      OuterOptimizer step = outer.orElse(null);
      ParameterRanges kept = frozen;
      blocks =
          pieces
              .values()
              .zipPartitions(
                  state.rdd(), (arriving, start) -> next(mean(arriving), start, step, kept, cut));
    } else {
      blocks = pieces.values().mapPartitions(arriving -> mean(arriving).iterator());
    }
    return store(pieces, blocks, state.step());
  }

  /** Computes the blocks of the next state and frees the last one's. */
  private List<WorkerReport> store(JavaPairRDD<Integer, ?> pieces, JavaRDD<Part> blocks, int step) {
    int shuffle = ((ShuffleDependency<?, ?, ?>) pieces.rdd().dependencies().head()).shuffleId();
    blocks.persist(StorageLevel.DISK_ONLY());
    // The blocks are all that later rounds have of it: its lineage would grow with every round.
    blocks.rdd().localCheckpoint();
    try {
      List<Head> heads = blocks.mapPartitions(SlicedExchange::heads).collect();
      if (heads.size() < slicing.count()) {
        throw new IllegalStateException("training round: no worker got a batch");
      }
      List<WorkerReport> reports = heads.stream().flatMap(head -> head.reports().stream()).toList();
      int steps = reports.stream().mapToInt(report -> report.steps().size()).max().orElse(0);
      become(new StateBlocks(blocks, slicing, step + steps));
      return reports;
    } catch (Exception e) {
      blocks.unpersist(false);
      throw e;
    } finally {
      forget(shuffle);
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
  private static Iterator<Tuple2<Integer, Piece>> pieces(TrainedGraph trained, Slicing slicing) {
    WorkerReport report = trained.report();
    return each(
        slicing,
        slice -> {
          byte[] bytes = GraphMemory.read(trained.graph(), slicing.slice(slice));
          if (slice + 1 == slicing.count()) {
            trained.giveBack();
          }
          List<WorkerReport> told = slice == 0 ? List.of(report) : List.of();
          return List.of(new Piece(report.worker(), report.targetTokens(), told, bytes));
        });
  }

  /** The blocks of a first state, slice by slice. */
  private static Iterator<Tuple2<Integer, Part>> parts(
      Origin origin, String json, Slicing slicing, boolean moving) {
    ComputationGraph graph = WorkerGraphs.take(json);
    Optional<FloatPointer> velocity = origin.into(graph, moving);
    return each(
        slicing,
        slice -> {
          Slicing.Slice cut = slicing.slice(slice);
          List<Part> parts = new ArrayList<>();
          parts.add(new Head(List.of()));
          parts.add(new Values(GraphMemory.read(graph, cut)));
          if (moving && !cut.ofUpdater()) {
            parts.add(
                new Velocity(
                    velocity
                        .map(v -> GraphMemory.read(v, cut))
                        .orElseGet(() -> new byte[cut.bytes()])));
          }
          if (slice + 1 == slicing.count()) {
            velocity.ifPresent(FloatPointer::close);
            WorkerGraphs.giveBack(json, graph);
          }
          return parts;
        });
  }

  private static <T> Iterator<Tuple2<Integer, T>> each(
      Slicing slicing, IntFunction<List<T>> content) {
    return IntStream.range(0, slicing.count())
        .boxed()
        .flatMap(slice -> content.apply(slice).stream().map(part -> new Tuple2<>(slice, part)))
        .iterator();
  }

  /** The mean of all workers' pieces of one slice; none where there are none. */
  private static List<Part> mean(Iterator<Piece> arriving) {
    List<Piece> pieces = new ArrayList<>();
    arriving.forEachRemaining(pieces::add);
    if (pieces.isEmpty()) {
      return List.of();
    }
    pieces.sort(Comparator.comparingInt(Piece::worker));
    MeanWeights weights = MeanWeights.of(pieces.stream().map(Piece::targetTokens).toList());
    byte[] sum = new byte[pieces.get(0).bytes.length];
    for (int i = 0; i < pieces.size(); i++) {
      SliceArithmetic.add(sum, pieces.get(i).bytes, weights.weights()[i]);
    }
    SliceArithmetic.divide(sum, weights.divisor());
    Head head = new Head(pieces.stream().flatMap(piece -> piece.report.stream()).toList());
    return List.of(head, new Values(sum));
  }

  /**
   * The next block of a slice: the outer step from the round's start to the mean, where the slice
   * has a velocity, and what is frozen as it was.
   *
   * @param outer null where there is none
   */
  private static Iterator<Part> next(
      List<Part> mean,
      Iterator<Part> start,
      OuterOptimizer outer,
      ParameterRanges frozen,
      Slicing slicing) {
    byte[] from = null;
    Velocity velocity = null;
    while (start.hasNext()) {
      Part part = start.next();
      if (part instanceof Values values) {
        from = values.bytes();
      } else if (part instanceof Velocity held) {
        velocity = held;
      }
    }
    Slicing.Slice slice = slicing.slice(TaskContext.getPartitionId());
    if (mean.isEmpty() || slice.ofUpdater()) {
      return mean.iterator();
    }
    byte[] values = ((Values) mean.get(1)).bytes();
    List<Part> next = new ArrayList<>(mean);
    if (outer != null) {
      outer.step(from, values, velocity.bytes());
      next.add(velocity);
    }
    ParameterRanges kept = frozen.within(slice.offset(), slice.offset() + slice.length());
    for (int range = 0; range < kept.count(); range++) {
      int at = (int) (kept.from(range) - slice.offset()) * Float.BYTES;
      int length = (int) (kept.to(range) - kept.from(range)) * Float.BYTES;
      System.arraycopy(from, at, values, at, length);
    }
    return next.iterator();
  }

  private static Iterator<Head> heads(Iterator<Part> block) {
    List<Head> heads = new ArrayList<>();
    // To the end: only then does Spark close the block's file.
    block.forEachRemaining(
        part -> {
          if (part instanceof Head head) {
            heads.add(head);
          }
        });
    return heads.iterator();
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
}
