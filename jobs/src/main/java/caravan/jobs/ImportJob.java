package caravan.jobs;

import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.pipeline.tokenize.SentencePieceTokenizer;
import caravan.pipeline.tokenize.Tokenizer;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import picocli.CommandLine.Command;

/** Brings another program's model in: checked, and written as our checkpoints are. */
@Command(
    name = "import",
    description =
        "Hugging Face directory, GGUF file (.gguf), PyTorch file (.pt, .pth, .bin) or llama2.c"
            + " model (.bin) → checkpoint")
final class ImportJob extends Job<ImportJob.Config> {
  /**
   * @param tokenizer a tokenizer.model for a model that brings none, or one that extends the
   *     model's own, for whose new pieces it then gets rows
   */
  record Config(
      String input,
      String output,
      Optional<String> tokenizer,
      GrowConfig grow,
      AdapterBase lora,
      long seed) {}

  ImportJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    Configuration hadoop = hadoop();
    try (Checkpoint model = read(config, hadoop)) {
      Checkpoints.export(config.output(), hadoop, model);
      System.out.printf("import: %s%n", ExportJob.described(model, config.output()));
    }
    return Caravan.DONE;
  }

  private static Checkpoint read(Config config, Configuration hadoop) {
    Checkpoint model = ModelFiles.open(config.input(), hadoop, config.lora().base());
    return config.tokenizer().map(file -> withTokenizer(model, file, config, hadoop)).orElse(model);
  }

  private static Checkpoint withTokenizer(
      Checkpoint model, String file, Config config, Configuration hadoop) {
    Tokenizer tokenizer = Tokenizers.read(file, hadoop);
    boolean larger = tokenizer.vocabSize() > model.config().vocabSize();
    if (tokenizer instanceof SentencePieceTokenizer extended
        && (larger || GrowConfig.isExtended(config.input(), model, extended))) {
      try (model) {
        return config.grow().grow(config.input(), model, extended, config.seed());
      }
    }
    if (larger) {
      throw new IllegalArgumentException(
          "tokenizer %s: %,d pieces, but the model has embeddings for %,d; give the model's own tokenizer"
              .formatted(file, tokenizer.vocabSize(), model.config().vocabSize()));
    }
    Map<String, byte[]> files = new HashMap<>(model.tokenizerFiles());
    files.putAll(Tokenizers.files(tokenizer));
    return Checkpoint.ofModel(model.config(), model.specialTokens(), model.parameters(), files);
  }
}
