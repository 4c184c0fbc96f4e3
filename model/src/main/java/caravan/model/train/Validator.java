package caravan.model.train;

import caravan.model.LlamaGraph;
import caravan.model.LlamaOutput;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.TokenBatch;
import java.io.Serializable;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;
import org.deeplearning4j.nn.graph.ComputationGraph;

/**
 * Mean loss over sequences that stay the same from one measurement to the next, each worker scoring
 * its own contiguous part.
 */
final class Validator {
  private final JavaSparkContext spark;
  private final TrainConfig config;
  private final SequenceSource source;
  private final ReadingOrder order;
  private final long sequences;

  private Validator(
      JavaSparkContext spark,
      TrainConfig config,
      SequenceSource source,
      ReadingOrder order,
      long limit) {
    this.spark = spark;
    this.config = config;
    this.source = source;
    sequences = limit == 0 ? source.size() : Math.min(source.size(), limit);
    this.order = sequences == source.size() ? (slice, position) -> position : order;
  }

  /** Of the first held-out sequences. */
  static Validator heldOut(JavaSparkContext spark, TrainConfig config, SequenceSource source) {
    long batches = batchesLimit(config);
    long limit = config.validationSequences();
    return new Validator(
        spark,
        config,
        source,
        source.first(),
        batches == 0 || limit > 0 && limit < batches ? limit : batches);
  }

  /** Of training sequences drawn by the seed; only where the settings ask for it. */
  static Optional<Validator> sampled(
      JavaSparkContext spark, TrainConfig config, SequenceSource source, long seed) {
    long limit = batchesLimit(config);
    return limit == 0
        ? Optional.empty()
        : Optional.of(new Validator(spark, config, source, source.sample(~seed), limit));
  }

  private static long batchesLimit(TrainConfig config) {
    return (long) config.validationBatches() * config.batchSequences();
  }

  /** Mean cross entropy in nats per target token. */
  double loss(TrainedModel.Shared model) {
    SequenceSource data = source;
    ReadingOrder drawn = order;
    int workers = config.workers();
    int batch = config.batchSequences();
    long size = sequences;
    List<Integer> numbers = IntStream.range(0, workers).boxed().collect(Collectors.toList());
    Sum sum =
        spark
            .parallelize(numbers, workers)
            .map(
                w -> score(model, data, drawn, size * w / workers, size * (w + 1) / workers, batch))
            .collect()
            .stream()
            .reduce(new Sum(0, 0), Sum::plus);
    if (sum.tokens == 0) {
      throw new IllegalStateException("validation: " + size + " sequences hold no target token");
    }
    return sum.loss / sum.tokens;
  }

  private static Sum score(
      TrainedModel.Shared model,
      SequenceSource data,
      ReadingOrder order,
      long from,
      long to,
      int batchSequences) {
    ComputationGraph graph = WorkerGraphs.take(model.configurationJson());
    model.into(graph);
    LlamaOutput output = LlamaGraph.output(graph);
    Sum sum;
    try (LlamaEngine.Kept kept = output.engine().keep(output.parameters())) {
      sum = score(graph, data, order, from, to, batchSequences);
    }
    WorkerGraphs.giveBack(model.configurationJson(), graph);
    return sum;
  }

  private static Sum score(
      ComputationGraph graph,
      SequenceSource data,
      ReadingOrder order,
      long from,
      long to,
      int batchSequences) {
    Sum sum = new Sum(0, 0);
    for (long at = from; at < to; at += batchSequences) {
      int rows = (int) Math.min(batchSequences, to - at);
      int seq = data.sequenceLength();
      int[] ids = new int[rows * seq];
      int[] targets = new int[rows * seq];
      for (int row = 0; row < rows; row++) {
        data.read(order.indexAt(0, at + row), ids, targets, row * seq);
      }
      TokenBatch batch = TokenBatch.ofMarked(ids, targets, rows, seq);
      int tokens = batch.targetCount();
      sum = sum.plus(new Sum(graph.score(Batches.dataSet(batch), false) * tokens, tokens));
    }
    return sum;
  }

  private record Sum(double loss, long tokens) implements Serializable {
    Sum plus(Sum other) {
      return new Sum(loss + other.loss, tokens + other.tokens);
    }
  }
}
