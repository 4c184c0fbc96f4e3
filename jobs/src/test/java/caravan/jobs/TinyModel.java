package caravan.jobs;

import caravan.jobs.chat.TinyTokenizer;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.SpecialTokens;
import caravan.pipeline.tokenize.SentencePieceTokenizer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;

/** A small Llama with random weights over {@link TinyTokenizer}, as a checkpoint on disk. */
final class TinyModel {
  static final SentencePieceTokenizer TOKENIZER = TinyTokenizer.create();

  private TinyModel() {}

  static LlamaConfig config() {
    return new LlamaConfig(32, 64, 2, 4, 2, 8, TOKENIZER.vocabSize(), 96, 10000, 1e-5, true);
  }

  /** Writes the checkpoint and returns its path. */
  static String write(Path directory) {
    return write(directory, config(), Map.of("tokenizer.model", TOKENIZER.toBytes()));
  }

  static String write(Path directory, LlamaConfig config, Map<String, byte[]> tokenizerFiles) {
    ParameterLayout layout = new ParameterLayout(config);
    Random random = new Random(7);
    FloatPointer parameters = new FloatPointer(layout.length());
    for (ParameterLayout.Tensor tensor : layout.tensors()) {
      for (long i = 0; i < tensor.length(); i++) {
        float value = tensor.isNorm() ? 1 : (float) (0.05 * random.nextGaussian());
        parameters.put(tensor.offset() + i, value);
      }
    }
    try (Checkpoint checkpoint =
        Checkpoint.ofModel(config, SpecialTokens.of(1, 2), parameters, tokenizerFiles)) {
      Checkpoints.export(directory.toString(), new Configuration(), checkpoint);
    }
    return directory.toString();
  }
}
