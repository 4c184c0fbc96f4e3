import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Gguf;
import caravan.model.checkpoint.GgufWriter;
import caravan.model.checkpoint.Llama2c;
import caravan.model.checkpoint.SpecialTokens;
import caravan.model.engine.Engines;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.PeakFlops;
import caravan.model.engine.WeightType;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Our side of the benchmark generate.
 *
 * <pre>
 * write DIR [GGUF]                              the same weights as f32.gguf, q8_0.gguf and llama2c.bin
 * run GGUF WEIGHTS THREADS PROMPT TOKENS PASSES  prefill and decoding, a line of JSON per pass
 * peak                                          GFLOP/s of one thread's fp32 products
 * </pre>
 */
class Decodes {
  private static final LlamaConfig RANDOM_SHAPE =
      new LlamaConfig(768, 2048, 12, 12, 12, 64, 32_000, 1024, 10_000, 1e-5, true);

  public static void main(String[] args) {
    switch (args[0]) {
      case "write" -> write(args[1], args.length > 2 ? args[2] : null);
      case "run" -> run(args);
      default -> peak();
    }
  }

  private static void write(String folder, String gguf) {
    Configuration hadoop = new Configuration();
    try (Checkpoint model = gguf == null ? random() : Gguf.read(gguf, hadoop).checkpoint()) {
      Map<String, Object> none = Map.of("tokenizer.ggml.model", "no_vocab");
      GgufWriter.write(folder + "/f32.gguf", hadoop, model, GgufWriter.Weights.F32, none);
      GgufWriter.write(folder + "/q8_0.gguf", hadoop, model, GgufWriter.Weights.Q8_0, none);
      Checkpoint plain =
          Checkpoint.ofModel(
              plain(model.config()), model.specialTokens(), model.parameters(), Map.of());
      Llama2c.write(folder + "/llama2c.bin", hadoop, plain, false);
      LlamaConfig config = model.config();
      System.out.printf(
          "{\"vocabulary\": %d, \"context\": %d, \"parameters\": %d, \"embedding\": %d}%n",
          config.vocabSize(),
          config.contextLength(),
          new ParameterLayout(config).length(),
          (long) config.vocabSize() * config.hiddenSize() * (config.tiedEmbeddings() ? 1 : 2));
    }
  }

  /** llama2.c's file carries neither theta nor epsilon: what it says differs then, its time not. */
  private static LlamaConfig plain(LlamaConfig c) {
    return new LlamaConfig(
        c.hiddenSize(),
        c.intermediateSize(),
        c.layerCount(),
        c.headCount(),
        c.kvHeadCount(),
        c.headDim(),
        c.vocabSize(),
        c.contextLength(),
        10_000,
        1e-5,
        c.tiedEmbeddings());
  }

  private static Checkpoint random() {
    ParameterLayout layout = new ParameterLayout(RANDOM_SHAPE);
    Random random = new Random(1);
    FloatPointer values = new FloatPointer(layout.length());
    for (ParameterLayout.Tensor tensor : layout.tensors()) {
      float[] floats = new float[(int) tensor.length()];
      for (int i = 0; i < floats.length; i++) {
        floats[i] = tensor.isNorm() ? 1 : (float) (0.02 * random.nextGaussian());
      }
      values.getPointer(tensor.offset()).put(floats, 0, floats.length);
    }
    return Checkpoint.ofModel(RANDOM_SHAPE, SpecialTokens.of(1, 2), values, Map.of());
  }

  private static void run(String[] args) {
    int threads = Integer.parseInt(args[3]);
    int prompt = Integer.parseInt(args[4]);
    int tokens = Integer.parseInt(args[5]);
    try (Checkpoint model = Gguf.read(args[1], new Configuration()).checkpoint();
        LlamaEngine engine = 
            Engines.open(
                Engines.CPU,
                model.config(),
                threads,
                WeightType.valueOf(args[2].toUpperCase(Locale.ROOT)));
        LlamaEngine.Kept kept = engine.keep(model.parameters())) {
      int[] ids = new Random(2).ints(prompt, 0, model.config().vocabSize()).toArray();
      for (int pass = 0; pass <= Integer.parseInt(args[6]); pass++) {
        double prefill = 0;
        if (prompt > 0) {
          try (LlamaEngine.Decoder decoder = engine.decoder(model.parameters(), prompt)) {
            long start = System.nanoTime();
            decoder.append(ids);
            prefill = (System.nanoTime() - start) / 1e9;
          }
        }
        try (LlamaEngine.Decoder decoder = engine.decoder(model.parameters(), tokens + 1)) {
          int id = highest(decoder.append(1));
          int[] chosen = new int[tokens];
          long start = System.nanoTime();
          for (int i = 0; i < tokens; i++) {
            chosen[i] = id;
            id = highest(decoder.append(id));
          }
          double decode = (System.nanoTime() - start) / 1e9;
          if (pass > 0) {
            System.out.printf(
                Locale.ROOT,
                "{\"prefill\": %.6f, \"decode\": %.6f, \"ids\": %s}%n",
                prefill,
                decode,
                Arrays.toString(Arrays.copyOf(chosen, Math.min(16, tokens))));
          }
        }
      }
    }
  }

  private static int highest(float[] logits) {
    int best = 0;
    for (int id = 1; id < logits.length; id++) {
      if (logits[id] > logits[best]) {
        best = id;
      }
    }
    return best;
  }

  private static void peak() {
    System.out.printf(Locale.ROOT, "{\"gflops\": %.1f}%n", PeakFlops.measured(1) / 1e9);
  }
}
