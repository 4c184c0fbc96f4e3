package caravan.jobs;

import static caravan.jobs.InspectJob.line;

import caravan.model.Adaptation;
import caravan.model.LlamaConfig;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.train.Metrics;
import caravan.model.train.MetricsLog;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;

/** What {@code inspect} tells of a model, a checkpoint or a training's output. */
final class InspectedModel {
  private InspectedModel() {}

  static void print(String path, Optional<String> base, Configuration hadoop) {
    List<Long> steps = new CheckpointStore(path, hadoop).steps();
    if (!steps.isEmpty()) {
      line("%s: a training's output, checkpoints of steps %s", path, steps);
      training(MetricsLog.sampled(path, hadoop));
    }
    Checkpoints.adapters(path, hadoop, base).ifPresent(InspectedModel::adapters);
    try (Checkpoint model = Checkpoints.open(path, hadoop, base)) {
      LlamaConfig shape = model.config();
      line("%s", ExportJob.described(model, path));
      line(
          "  %d query heads and %d key/value heads of %d, feed-forward %d, context %,d, tied head: %s",
          shape.headCount(),
          shape.kvHeadCount(),
          shape.headDim(),
          shape.intermediateSize(),
          shape.contextLength(),
          shape.tiedEmbeddings());
      line("  tokenizer files: %s", model.tokenizerFiles().keySet());
      ParameterLayout layout = new ParameterLayout(shape);
      for (ParameterLayout.Tensor tensor : layout.tensors()) {
        line(
            "  %-24s %6d × %-6d %s",
            tensor.name(), tensor.rows(), tensor.cols(), health(model.parameters(), tensor));
      }
    }
  }

  private static void adapters(Checkpoint checkpoint) {
    try (checkpoint) {
      Adaptation adaptation = checkpoint.adaptation().orElseThrow();
      LoraConfig lora = adaptation.lora();
      line("adapters beside %s, shown merged into it:", adaptation.base());
      line(
          "  rank %d, scale %s, dropout %s, of %s; in full: %s; %,d trained values",
          lora.rank(),
          lora.scale(),
          lora.dropout(),
          lora.targetModules(),
          lora.modulesToSave(),
          StartingModel.trained(checkpoint));
    }
  }

  private static void training(List<Metrics> metrics) {
    if (metrics.isEmpty()) {
      return;
    }
    Metrics last = metrics.get(metrics.size() - 1);
    line("  step %,d, round %,d, training loss %.4f", last.step(), last.round(), last.loss());
    metrics.stream()
        .filter(m -> m.validationLoss() != null)
        .forEach(m -> line("  validation loss after step %,d: %.4f", m.step(), m.validationLoss()));
  }

  private static String health(FloatPointer parameters, ParameterLayout.Tensor tensor) {
    double squares = 0;
    long broken = 0;
    for (long i = tensor.offset(); i < tensor.offset() + tensor.length(); i++) {
      float value = parameters.get(i);
      if (Float.isFinite(value)) {
        squares += (double) value * value;
      } else {
        broken++;
      }
    }
    String size =
        String.format(Locale.ROOT, "root mean square %.4f", Math.sqrt(squares / tensor.length()));
    return broken == 0 ? size : size + ", NOT FINITE: " + broken + " values";
  }
}
