package caravan.jobs;

import caravan.model.LlamaConfig;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointHead;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.Gguf;
import caravan.model.checkpoint.Llama2c;
import caravan.model.checkpoint.TorchModel;
import caravan.model.checkpoint.WeightSink;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;

/** Opens a model in any format that is read, with the tokenizer files it brings. */
final class ModelFiles {
  static final String GGUF = ".gguf";
  static final String LLAMA2C = ".bin";
  private static final List<String> TORCH = List.of(".pt", ".pth");

  private ModelFiles() {}

  /**
   * @param path a GGUF file (.gguf), a llama2.c model (.bin), a file of torch.save (.pt, .pth,
   *     .bin), or whatever {@link Checkpoints#open} takes
   * @param base of adapters, where it lies elsewhere than they say
   * @throws IllegalArgumentException when there is no such model, or it is damaged or not a Llama
   */
  static Checkpoint open(String path, Configuration hadoop, Optional<String> base) {
    if (isTorch(path, hadoop)) {
      return TorchModel.read(path, hadoop);
    }
    if (path.endsWith(LLAMA2C)) {
      return Llama2c.read(path, hadoop);
    }
    if (!path.endsWith(GGUF)) {
      return Checkpoints.open(path, hadoop, base);
    }
    Gguf.Model file = Gguf.read(path, hadoop);
    Checkpoint model = file.checkpoint();
    try {
      return Checkpoint.ofModel(
          model.config(),
          model.specialTokens(),
          model.parameters(),
          new GgufVocabulary(file.metadata(), path).files());
    } catch (RuntimeException e) {
      model.close();
      throw e;
    }
  }

  /**
   * Reads what {@link #open} opens without keeping its weights.
   *
   * @param base of adapters, where it lies elsewhere than they say
   * @param weights makes what receives them
   */
  static CheckpointHead read(
      String path,
      Configuration hadoop,
      Optional<String> base,
      Function<LlamaConfig, WeightSink> weights) {
    if (isTorch(path, hadoop)) {
      return TorchModel.read(path, hadoop, weights);
    }
    if (path.endsWith(LLAMA2C)) {
      return Llama2c.read(path, hadoop, weights);
    }
    if (!path.endsWith(GGUF)) {
      return Checkpoints.read(path, hadoop, base, weights);
    }
    Gguf.Head file = Gguf.read(path, hadoop, weights);
    return new CheckpointHead(
        file.head().config(),
        file.head().specialTokens(),
        file.head().state(),
        new GgufVocabulary(file.metadata(), path).files(),
        Optional.empty());
  }

  private static boolean isTorch(String path, Configuration hadoop) {
    return TORCH.stream().anyMatch(path::endsWith)
        || path.endsWith(LLAMA2C) && TorchModel.isAt(path, hadoop);
  }
}
