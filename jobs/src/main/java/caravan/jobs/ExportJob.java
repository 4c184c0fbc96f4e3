package caravan.jobs;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.Llama2c;
import org.apache.hadoop.conf.Configuration;
import picocli.CommandLine.Command;

/** Takes a model out to other programs. */
@Command(
    name = "export",
    description = "checkpoint → Hugging Face directory or llama2.c model (output=….bin)")
final class ExportJob extends Job<ExportJob.Config> {
  record Config(String checkpoint, String output) {}

  ExportJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    Configuration hadoop = hadoop();
    try (Checkpoint model = Checkpoints.open(config.checkpoint(), hadoop)) {
      if (config.output().endsWith(".bin")) {
        Llama2c.write(config.output(), hadoop, model);
      } else {
        Checkpoints.export(config.output(), hadoop, model);
      }
      System.out.printf("export: %s%n", described(model, config.output()));
    }
    return Caravan.DONE;
  }

  static String described(Checkpoint model, String output) {
    LlamaConfig shape = model.config();
    return "%,d parameters (%d layers, width %d, %,d token ids) in %s"
        .formatted(
            new ParameterLayout(shape).length(),
            shape.layerCount(),
            shape.hiddenSize(),
            shape.vocabSize(),
            output);
  }
}
