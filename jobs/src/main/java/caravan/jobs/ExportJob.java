package caravan.jobs;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.GgufWriter;
import caravan.model.checkpoint.Llama2c;
import caravan.pipeline.tokenize.SentencePieceTokenizer;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import picocli.CommandLine.Command;

/** Takes a model out to other programs. */
@Command(
    name = "export",
    description =
        "checkpoint → Hugging Face directory, GGUF file (output=….gguf) or llama2.c model (….bin)")
final class ExportJob extends Job<ExportJob.Config> {
  record Config(String checkpoint, String output, Export export, AdapterBase lora) {}

  /**
   * @param weights of matrices: F32 for Hugging Face; F32, F16 or Q8_0 for GGUF; F32 (version 0) or
   *     Q8_0 (version 2) for llama2.c
   */
  record Export(GgufWriter.Weights weights) {}

  ExportJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    Configuration hadoop = hadoop();
    String output = config.output();
    GgufWriter.Weights weights = config.export().weights();
    try (Checkpoint model = Checkpoints.open(config.checkpoint(), hadoop, config.lora().base())) {
      if (output.endsWith(ModelFiles.GGUF)) {
        GgufWriter.write(output, hadoop, model, weights, vocabulary(config.checkpoint(), model));
      } else if (output.endsWith(ModelFiles.LLAMA2C)) {
        refuse(weights == GgufWriter.Weights.F16, weights, "f32 (version 0) or q8_0 (version 2)");
        Llama2c.write(output, hadoop, model, weights == GgufWriter.Weights.Q8_0);
      } else {
        refuse(weights != GgufWriter.Weights.F32, weights, "f32 for a Hugging Face directory");
        Checkpoints.export(output, hadoop, model);
      }
      System.out.printf("export: %s%n", described(model, output));
    }
    return Caravan.DONE;
  }

  private static void refuse(boolean wrong, GgufWriter.Weights got, String wanted) {
    if (wrong) {
      throw new IllegalArgumentException(
          "export.weights: got %s, wanted %s".formatted(got.name().toLowerCase(), wanted));
    }
  }

  private static Map<String, Object> vocabulary(String path, Checkpoint model) {
    byte[] file = model.tokenizerFiles().get(Tokenizers.FILE);
    if (file == null) {
      throw new IllegalArgumentException(
          "%s: no %s in it, wanted one: a GGUF file holds the vocabulary; import the model with tokenizer=FILE first"
              .formatted(path, Tokenizers.FILE));
    }
    return GgufVocabulary.keys(
        SentencePieceTokenizer.of(file, path).model(),
        model.config().vocabSize(),
        LoadedModel.addsBos(path, model.tokenizerFiles()));
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
