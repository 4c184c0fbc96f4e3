package caravan.model.train;

import caravan.model.ParameterRanges;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.apache.spark.ContextCleaner;
import org.apache.spark.ShuffleDependency;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.ShuffledRDD;
import org.apache.spark.util.TaskCompletionListener;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import scala.Option;
import scala.Tuple2;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

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
  private final ExchangePrecision precision;
  private StateBlocks state;

  /**
   * @param configurationJson of the graphs that the workers train
   * @param slicing of their state
   * @param outer makes the next parameters of the mean, where there is one
   * @param frozen parameters that keep every bit: the mean of equal floats may round to another
   * @param precision of the parameters that workers send
   */
  SlicedExchange(
      JavaSparkContext spark,
      String configurationJson,
      Slicing slicing,
      Optional<OuterOptimizer> outer,
      ParameterRanges frozen,
      ExchangePrecision precision) {
    this.spark = spark;
    this.configurationJson = configurationJson;
    this.slicing = slicing;
    this.outer = outer;
    this.frozen = frozen;
    this.precision = precision;
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
    StateBlocks.Blocks blocks = StateBlocks.Blocks.create(spark.sc(), slicing);
    boolean moving = outer.isPresent();
    String json = configurationJson;
    storing(
        blocks,
        () -> spark.parallelize(List.of(origin), 1).foreach(o -> store(o, json, moving, blocks)));
    become(new StateBlocks(spark.sc(), blocks, origin.step()));
  }

  @Override
  public Start start() {
    return new Sent(configurationJson, state.reader(), precision);
  }

  @Override
  public List<WorkerReport> average(JavaRDD<TrainedGraph> trained) {
    Slicing cut = slicing;
    ExchangePrecision sent = precision;
    StateBlocks.Blocks next = StateBlocks.Blocks.create(spark.sc(), slicing);
    SliceReducer reducer =
        new SliceReducer(state.reader(), outer.orElse(null), frozen, precision, next);
    ClassTag<Integer> key = ClassTag$.MODULE$.apply(Integer.class);
    ClassTag<Piece> piece = ClassTag$.MODULE$.apply(Piece.class);
    ShuffledRDD<Integer, Piece, Piece> pieces =
        new ShuffledRDD<Integer, Piece, Piece>(
                trained.flatMap(graph -> pieces(graph, cut, sent)).rdd(),
                new SlicePartitioner(cut.count()),
                key,
                piece,
                piece)
            .setSerializer(new PieceSerializer());
    List<WorkerReport> reports = new ArrayList<>();
    try {
      storing(
          next,
          () -> {
            List<List<WorkerReport>> stored =
                pieces.toJavaRDD().mapPartitionsWithIndex(reducer, true).collect();
            if (stored.size() < cut.count()) {
              throw new IllegalStateException("training round: no worker got a batch");
            }
            stored.forEach(reports::addAll);
          });
    } finally {
      forget(((ShuffleDependency<?, ?, ?>) pieces.dependencies().head()).shuffleId());
    }
    int steps = reports.stream().mapToInt(report -> report.steps().size()).max().orElseThrow();
    become(new StateBlocks(spark.sc(), next, state.step() + steps));
    return reports;
  }

  /** Has tasks store blocks; when one fails, those of the others are freed. */
  private void storing(StateBlocks.Blocks blocks, Runnable tasks) {
    try {
      tasks.run();
    } catch (Exception e) {
      blocks.remove(spark.sc());
      throw e;
    }
  }

  /** Deletes a shuffle's files now: they are as large as all workers' states together. */
  private void forget(int shuffle) {
    Option<ContextCleaner> cleaner = spark.sc().cleaner();
    if (cleaner.isDefined()) {
      cleaner.get().doCleanupShuffle(shuffle, false);
    }
  }

  /**
   * A worker's state, slice by slice, where it lies. The graph is given back when the task is done:
   * only then has Spark written what it was given here.
   */
  private static Iterator<Tuple2<Integer, Piece>> pieces(
      TrainedGraph trained, Slicing slicing, ExchangePrecision precision) {
    WorkerReport report = trained.report();
    TaskCompletionListener done =
        task -> {
          if (!task.isFailed()) {
            trained.giveBack();
          }
        };
    TaskContext.get().addTaskCompletionListener(done);
    return IntStream.range(0, slicing.count())
        .mapToObj(
            i -> {
              Slicing.Slice slice = slicing.slice(i);
              return new Tuple2<>(
                  i,
                  new Piece(
                      i,
                      report.worker(),
                      report.targetTokens(),
                      i == 0 ? Optional.of(report) : Optional.empty(),
                      content(trained.graph(), slice, precision)));
            })
        .iterator();
  }

  private static Piece.Content content(
      ComputationGraph graph, Slicing.Slice slice, ExchangePrecision precision) {
    BytePointer memory = GraphMemory.at(graph, slice);
    return slice.ofUpdater() || !precision.isOfChanges()
        ? new Piece.InMemory(memory, slice.bytes())
        : new Changes(memory, GraphMemory.at(RoundStart.get(), slice), slice.length(), precision);
  }

  /** Stores a first state. */
  private static void store(Origin origin, String json, boolean moving, StateBlocks.Blocks blocks) {
    ComputationGraph graph = WorkerGraphs.take(json);
    Optional<FloatPointer> velocity = origin.into(graph, moving);
    Slicing slicing = blocks.slicing();
    for (int i = 0; i < slicing.count(); i++) {
      Slicing.Slice slice = slicing.slice(i);
      blocks.storeSlice(i, bytes(GraphMemory.at(graph, slice), slice));
      if (moving && !slice.ofUpdater()) {
        blocks.storeVelocity(
            i,
            velocity
                .map(v -> bytes(GraphMemory.at(v, slice), slice))
                .orElseGet(() -> ByteBuffer.allocate(slice.bytes())));
      }
    }
    velocity.ifPresent(FloatPointer::close);
    WorkerGraphs.giveBack(json, graph);
  }

  private static ByteBuffer bytes(BytePointer memory, Slicing.Slice slice) {
    return memory.limit(slice.bytes()).asBuffer();
  }

  private record Sent(
      String configurationJson, StateBlocks.Reader state, ExchangePrecision precision)
      implements Start {
    @Override
    public void into(ComputationGraph graph) {
      state.into(graph);
      if (precision.isOfChanges()) {
        RoundStart.keep(graph);
      }
    }

    @Override
    public void close() {
      // The state is freed when the next one is whole.
    }
  }
}
