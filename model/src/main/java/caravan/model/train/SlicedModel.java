package caravan.model.train;

import caravan.model.LlamaGraph;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointHead;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.Directory;
import caravan.model.checkpoint.TrainedShape;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.SerializableConfiguration;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/**
 * A model whose parameters and moments lie in slices with the executors; the driver holds their
 * numbers. When an executor is lost with its slices, the rounds since the last checkpoint are
 * trained again, which gives the same bits.
 */
final class SlicedModel implements TrainedModel {
  private static final Logger log = LoggerFactory.getLogger(SlicedModel.class);

  /** Executors that may be lost, one after the other, before a round is given up. */
  private static final int MAX_LOSSES = 4;

  /** Where the parameters of a base model lie until the first checkpoint holds them. */
  private static final String BASE = "base";

  private final JavaSparkContext spark;
  private final Trainer.Setup setup;
  private final ComputationGraphConfiguration configuration;
  private final TrainedShape trained;
  private final Slicing slicing;
  private final Moments moments;

  /** Of optimizer state that is exchanged and saved in checkpoints. */
  private final int vectors;

  private final SlicedExchange exchange;
  private final AveragingMaster master;
  private Origin origin;

  /** Steps whose states wait to be written. */
  private final Set<Integer> waiting = ConcurrentHashMap.newKeySet();

  /** Rounds since the origin, in their order. */
  private final List<Done> rounds = new ArrayList<>();

  /** A round that could be trained again: an RDD of each would be kilobytes until a checkpoint. */
  private record Done(Supplier<JavaRDD<MultiDataSet>> data, int stepAfter) {}

  SlicedModel(JavaSparkContext spark, Trainer.Setup setup) {
    this.spark = spark;
    this.setup = setup;
    TrainConfig config = setup.config();
    FlatOptimizer updater = config.updater(setup.model());
    configuration = LlamaGraph.configuration(Trainer.layer(setup), updater, setup.seed());
    trained = TrainedShape.of(setup.model(), setup.adaptation());
    long parameters = trained.layout().length();
    moments = Moments.of(config, setup.output(), spark.hadoopConfiguration());
    vectors = moments.travel() ? updater.stateVectors() : 0;
    slicing =
        Slicing.of(
            parameters, moments.travel() ? updater.stateSize(parameters) : 0, config.workers());
    exchange = exchange();
    master = master(exchange);
    origin = setup.base().isPresent() ? base() : new Origin.Fresh();
  }

  private SlicedExchange exchange() {
    return new SlicedExchange(
        spark,
        configuration.toJson(),
        slicing,
        OuterOptimizer.of(setup.config().outer()),
        setup.config().updater(setup.model()).turns().frozen(slicing.parameters()),
        ExchangePrecision.of(setup.config()));
  }

  private AveragingMaster master(Exchange averaging) {
    TrainConfig config = setup.config();
    return new AveragingMaster(
        spark,
        configuration,
        config.workers(),
        config.workerSequences(),
        setup.seed(),
        averaging,
        moments,
        config.onWorkerLoss().equals("continue"));
  }

  /** Writes what the base model begins with to where executors can read it. */
  private Origin base() {
    String directory = setup.output() + "/" + BASE;
    Checkpoints.export(
        directory,
        spark.hadoopConfiguration(),
        new Checkpoint(
            setup.model(),
            setup.specialTokens(),
            setup.base().orElseThrow(),
            Optional.empty(),
            Optional.empty(),
            Map.of(),
            Map.of(),
            setup.adaptation()));
    return saved(directory, 0, 0);
  }

  private Origin saved(String directory, int step, int stateVectors) {
    return new Origin.Saved(
        directory,
        new SerializableConfiguration(spark.hadoopConfiguration()),
        trained,
        step,
        stateVectors);
  }

  @Override
  public AveragingMaster.Round round(Supplier<JavaRDD<MultiDataSet>> data) {
    begin();
    return surviving(
        () -> {
          AveragingMaster.Round done = master.round(data.get());
          remember(new Done(data, exchange.state().step()));
          forgetMoments();
          return done;
        },
        () -> exchange.become(again(Integer.MAX_VALUE)));
  }

  private void begin() {
    if (exchange.state() == null) {
      exchange.begin(origin);
    }
  }

  private synchronized void remember(Done done) {
    rounds.add(done);
  }

  /** Moments of the last two rounds, of checkpoints, and of what is about to be one, are kept. */
  private synchronized void forgetMoments() {
    Set<Integer> steps = new HashSet<>(waiting);
    steps.add(origin.step());
    rounds
        .subList(Math.max(0, rounds.size() - 2), rounds.size())
        .forEach(round -> steps.add(round.stepAfter));
    new CheckpointStore(setup.output(), spark.hadoopConfiguration())
        .steps()
        .forEach(step -> steps.add(Math.toIntExact(step)));
    moments.keep(steps);
  }

  /** From now on what was saved is where lost slices come from. */
  private synchronized void saved(String directory, int step) {
    origin = saved(directory, step, vectors);
    rounds.removeIf(round -> round.stepAfter <= step);
  }

  /** Makes a state again that was lost: the last one whose step is at most {@code step}. */
  private StateBlocks again(int step) {
    Origin from;
    List<Done> replayed;
    synchronized (this) {
      from = origin;
      replayed = rounds.stream().filter(round -> round.stepAfter <= step).toList();
    }
    SlicedExchange averaging = exchange();
    AveragingMaster trainer = master(averaging);
    averaging.begin(from);
    replayed.forEach(round -> trainer.round(round.data.get()));
    return averaging.state();
  }

  private interface Action<T> {
    T run();
  }

  /** Runs something that reads slices, after making them again if they were lost. */
  private <T> T surviving(Action<T> action, Runnable remake) {
    boolean lost = false;
    for (int losses = 0; ; losses++) {
      try {
        if (lost) {
          remake.run();
        }
        return action.run();
      } catch (Exception e) {
        if (!isLoss(e) || losses == MAX_LOSSES) {
          throw e;
        }
        lost = true;
        log.warn(
            "an executor was lost with its slices of the model: training again from step {}",
            origin.step());
      }
    }
  }

  /** Spark hands the driver what a task threw as text. */
  private static boolean isLoss(Exception e) {
    String message = String.valueOf(e.getMessage());
    return message.contains(StateBlocks.LOST);
  }

  @Override
  public synchronized void restore(CheckpointStore.Found checkpoint, int step) {
    exchange.release();
    origin = saved(checkpoint.path(), step, vectors);
    rounds.clear();
  }

  @Override
  public Shared share() {
    begin();
    StateBlocks state = exchange.state().retain();
    return new Parameters(configuration.toJson(), state);
  }

  @Override
  public <T> T measured(Function<Shared, T> measurement) {
    return surviving(
        () -> TrainedModel.super.measured(measurement),
        () -> exchange.become(again(Integer.MAX_VALUE)));
  }

  @Override
  public Snapshot snapshot() {
    begin();
    return new Slices(exchange.state().retain());
  }

  @Override
  public void close() {
    exchange.release();
    WorkerGraphs.release();
  }

  /** The parameters where they lie. */
  private static final class Parameters implements Shared {
    private static final long serialVersionUID = 1;
    private final String configurationJson;
    private final StateBlocks.Reader reader;
    private final transient StateBlocks state;

    Parameters(String configurationJson, StateBlocks state) {
      this.configurationJson = configurationJson;
      this.state = state;
      reader = state.reader();
    }

    @Override
    public String configurationJson() {
      return configurationJson;
    }

    @Override
    public void into(ComputationGraph graph) {
      reader.parametersInto(graph);
    }

    @Override
    public void close() {
      state.release();
    }
  }

  /** A state that is kept until it is written, by tasks that stream its slices into files. */
  private final class Slices implements Snapshot {
    private StateBlocks state;

    Slices(StateBlocks state) {
      this.state = state;
      waiting.add(state.step());
    }

    @Override
    public void save(CheckpointStore store, int step, Map<String, Object> fields) {
      String path =
          surviving(
              () ->
                  store.save(
                      step,
                      new CheckpointHead(
                          setup.model(),
                          setup.specialTokens(),
                          fields,
                          setup.tokenizerFiles(),
                          setup.adaptation()),
                      this::write),
              () -> {
                state.release();
                state = again(step);
              });
      saved(path, step);
    }

    private Map<String, Directory.Fingerprint> write(String directory) {
      List<SliceFile> files = new ArrayList<>();
      for (SliceFile.Kind kind : SliceFile.Kind.values()) {
        SliceFile file =
            new SliceFile(
                kind,
                directory,
                new SerializableConfiguration(spark.hadoopConfiguration()),
                trained,
                vectors,
                state.reader());
        boolean there =
            switch (kind) {
              case MODEL -> true;
              case OPTIMIZER -> vectors > 0;
              case OUTER -> OuterOptimizer.of(setup.config().outer()).isPresent();
            };
        if (there) {
          files.add(file);
        }
      }
      return spark
          .parallelize(files, files.size())
          .mapToPair(file -> new Tuple2<>(file.name(), file.write()))
          .collectAsMap();
    }

    @Override
    public void close() {
      waiting.remove(state.step());
      state.release();
    }
  }
}
