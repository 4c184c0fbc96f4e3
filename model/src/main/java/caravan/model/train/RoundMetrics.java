package caravan.model.train;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.Engines;
import caravan.model.engine.PeakFlops;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;

/** What a round's steps measured, as lines of metrics. */
final class RoundMetrics {
  private final TrainConfig config;
  private final SequenceSource data;
  private final double flopsPerToken;

  /** Of all workers together; 0 where it is unknown. */
  private final double peakFlops;

  RoundMetrics(JavaSparkContext spark, TrainConfig config, LlamaConfig model, SequenceSource data) {
    this.config = config;
    this.data = data;
    flopsPerToken = flopsPerToken(model, config.sequenceLength());
    peakFlops = peakFlops(spark, config);
  }

  /**
   * Six operations for each weight that a token is multiplied with (two forward, four backward),
   * and twelve for each feature and position that attention looks at, half of which causality
   * masks: the count of Chowdhery et al. (PaLM, arXiv 2204.02311, appendix B).
   */
  static double flopsPerToken(LlamaConfig model, int sequenceLength) {
    long weights = new ParameterLayout(model).length();
    if (!model.tiedEmbeddings()) {
      weights -= (long) model.vocabSize() * model.hiddenSize();
    }
    double attention = 6.0 * model.layerCount() * model.headCount() * model.headDim();
    return 6.0 * weights + attention * sequenceLength;
  }

  private static double peakFlops(JavaSparkContext spark, TrainConfig config) {
    if (config.peakTflops() > 0) {
      return config.workers() * config.peakTflops() * 1e12;
    }
    if (config.engine().equals(Engines.CUDA)) {
      return 0;
    }
    int threads = config.threads();
    List<Integer> workers = IntStream.range(0, config.workers()).boxed().toList();
    return spark
        .parallelize(new ArrayList<>(workers), config.workers())
        .map(worker -> PeakFlops.measured(threads))
        .collect()
        .stream()
        .mapToDouble(Double::doubleValue)
        .sum();
  }

  /**
   * A line per step.
   *
   * @param before the round
   * @param seconds that the round took
   * @param watch asked which steps are spikes, and shown them
   */
  List<Metrics> lines(
      TrainingState before, AveragingMaster.Round done, double seconds, LossWatch watch) {
    List<Metrics> lines = new ArrayList<>();
    for (int i = 0; i < done.steps(); i++) {
      double loss = done.losses()[i];
      boolean spike = watch.isSpike(loss);
      watch.seeLoss(loss);
      boolean last = i == done.steps() - 1;
      lines.add(
          new Metrics(
              before.step() + i + 1,
              before.round() + 1,
              now(),
              loss,
              config.rates().valueAt(before.step() + i, 0),
              done.gradientNorms()[i],
              done.targetTokens() / seconds,
              null,
              null,
              spike ? true : null,
              last ? timing(done, seconds) : null,
              config.loss().isPlain() ? null : done.crossEntropies()[i],
              last ? mixture(before, done) : null));
    }
    return lines;
  }

  private Metrics.Timing timing(AveragingMaster.Round done, double seconds) {
    List<AveragingMaster.Part> workers = done.workers();
    double mean = workers.stream().mapToDouble(AveragingMaster.Part::seconds).average().orElse(0);
    double slowest = workers.stream().mapToDouble(AveragingMaster.Part::seconds).max().orElse(0);
    double tokens = (double) done.steps() * config.stepSequences() * config.sequenceLength();
    return new Metrics.Timing(
        mean,
        slowest - mean,
        Math.max(0, seconds - slowest),
        peakFlops == 0 ? null : tokens * flopsPerToken / seconds / peakFlops,
        workers.stream().mapToDouble(RoundMetrics::meanLoss).toArray());
  }

  /** Null where there is one source. */
  private Map<String, Double> mixture(TrainingState before, AveragingMaster.Round done) {
    long first = before.position() / config.workers();
    return data instanceof BlendedSequences blend
        ? blend.shares(first, (long) done.steps() * config.workerSequences())
        : null;
  }

  private static double meanLoss(AveragingMaster.Part worker) {
    double sum = 0;
    for (double loss : worker.losses()) {
      sum += loss;
    }
    return sum / worker.losses().length;
  }

  static double now() {
    return System.currentTimeMillis() / 1e3;
  }
}
