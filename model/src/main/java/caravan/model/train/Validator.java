package caravan.model.train;

import caravan.model.LlamaGraph;
import caravan.model.LlamaOutput;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.TokenBatch;
import java.io.Serializable;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;
import org.deeplearning4j.nn.graph.ComputationGraph;

/** Mean loss over held-out sequences, each worker scoring its own contiguous part. */
final class Validator {
  private final JavaSparkContext spark;
  private final TrainConfig config;
  private final SequenceSource source;
  private final long sequences;

  Validator(JavaSparkContext spark, TrainConfig config, SequenceSource source) {
    this.spark = spark;
    this.config = config;
    this.source = source;
    sequences =
        config.validationSequences() == 0
            ? source.size()
            : Math.min(source.size(), config.validationSequences());
  }

  /** Mean cross entropy in nats per target token. */
  double loss(TrainedModel.Shared model) {
    SequenceSource data = source;
    int workers = config.workers();
    int batch = config.batchSequences();
    long size = sequences;
    List<Integer> numbers = IntStream.range(0, workers).boxed().collect(Collectors.toList());
    Sum sum =
        spark
            .parallelize(numbers, workers)
            .map(w -> score(model, data, size * w / workers, size * (w + 1) / workers, batch))
            .collect()
            .stream()
            .reduce(new Sum(0, 0), Sum::plus);
    if (sum.tokens == 0) {
      throw new IllegalStateException("validation: " + size + " sequences hold no target token");
    }
    return sum.loss / sum.tokens;
  }

  private static Sum score(
      TrainedModel.Shared model, SequenceSource data, long from, long to, int batchSequences) {
    ComputationGraph graph = WorkerGraphs.take(model.configurationJson());
    model.into(graph);
    LlamaOutput output = LlamaGraph.output(graph);
    Sum sum;
    try (LlamaEngine.Kept kept = output.engine().keep(output.parameters())) {
      sum = score(graph, data, from, to, batchSequences);
    }
    WorkerGraphs.giveBack(model.configurationJson(), graph);
    return sum;
  }

  private static Sum score(
      ComputationGraph graph, SequenceSource data, long from, long to, int batchSequences) {
    Sum sum = new Sum(0, 0);
    for (long at = from; at < to; at += batchSequences) {
      int rows = (int) Math.min(batchSequences, to - at);
      int seq = data.sequenceLength();
      TokenBatch batch = new TokenBatch(new int[rows * seq], new int[rows * seq], rows, seq);
      for (int row = 0; row < rows; row++) {
        data.read(at + row, batch.ids(), batch.targets(), row * seq);
      }
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
