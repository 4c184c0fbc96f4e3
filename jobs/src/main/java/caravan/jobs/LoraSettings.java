package caravan.jobs;

import caravan.model.LlamaConfig;
import caravan.model.LoraConfig;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.engine.WeightType;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;

/**
 * The keys under {@code lora}; reference.conf states each one's unit, range and source.
 *
 * @param rank of the adapters; 0 trains all parameters
 * @param alpha numerator of the scale
 * @param dropout probability that an adapter sees a zero instead of an input
 * @param targetModules projections that get an adapter
 * @param rslora scale alpha / √rank instead of alpha / rank
 * @param modulesToSave modules trained in full beside the adapters
 * @param baseWeights how the frozen base lies in memory: fp32, bf16 or q8_0
 * @param base of a checkpoint that holds adapters, where it lies elsewhere than they say
 */
record LoraSettings(
    int rank,
    double alpha,
    double dropout,
    List<String> targetModules,
    boolean rslora,
    List<String> modulesToSave,
    String baseWeights,
    Optional<String> base) {

  private static final double ALPHA = 16;
  private static final String FP32 = "fp32";
  private static final Map<String, WeightType> BASE_WEIGHTS =
      Map.of(FP32, WeightType.F32, "bf16", WeightType.BF16, "q8_0", WeightType.Q8_0);

  LoraSettings {
    if (rank < 0) {
      throw new IllegalArgumentException("lora.rank: got " + rank + ", wanted 0 or more");
    }
    if (!BASE_WEIGHTS.containsKey(baseWeights)) {
      throw new IllegalArgumentException(
          "lora.base-weights: got " + baseWeights + ", wanted fp32, bf16 or q8_0");
    }
    boolean others =
        alpha != ALPHA
            || dropout != 0
            || rslora
            || !modulesToSave.isEmpty()
            || !baseWeights.equals(FP32)
            || !targetModules.equals(LoraConfig.PROJECTIONS);
    if (rank == 0 && others) {
      throw new IllegalArgumentException(
          "lora.rank: got 0, which trains all parameters, with other lora settings than the default"
              + " ones; wanted a rank of at least 1, such as 8, or none of the others");
    }
    if (rank > 0) {
      new LoraConfig(rank, alpha, dropout, targetModules, rslora, modulesToSave);
    }
  }

  /** The adapters that are asked for; empty where all parameters are trained. */
  Optional<LoraConfig> adapters() {
    return rank == 0
        ? Optional.empty()
        : Optional.of(new LoraConfig(rank, alpha, dropout, targetModules, rslora, modulesToSave));
  }

  /**
   * What a training starts from: the checkpoint as it is, or fresh adapters beside it, or those
   * that it holds. What is not needed is closed.
   *
   * @param path where the checkpoint lies
   * @param whole it, its adapters merged and its vocabulary grown
   * @param shape how it is to be read
   * @throws IllegalArgumentException when it holds other adapters, or its vocabulary has grown and
   *     the new rows would not be trained
   */
  Checkpoint start(
      String path, Checkpoint whole, LlamaConfig shape, long seed, Configuration hadoop) {
    if (rank == 0) {
      return whole;
    }
    LoraConfig lora = adapters().orElseThrow().on(shape);
    try (whole) {
      Optional<Checkpoint> held = Checkpoints.adapters(path, hadoop, base);
      if (held.isPresent()) {
        requireSame(path, held.get(), lora, shape);
        return packed(held.get());
      }
      return packed(Checkpoints.adapted(path, hadoop, whole, shape, lora, seed));
    }
  }

  private Checkpoint packed(Checkpoint start) {
    return start.withBaseWeights(BASE_WEIGHTS.get(baseWeights));
  }

  private static void requireSame(
      String path, Checkpoint held, LoraConfig lora, LlamaConfig shape) {
    LoraConfig got = held.adaptation().orElseThrow().lora();
    if (!got.equals(lora) || held.config().vocabSize() != shape.vocabSize()) {
      held.close();
      throw new IllegalArgumentException(
          "%s: it holds adapters %s for %,d ids, wanted %s for %,d; set lora.* as they are, or export the merged model and start from that"
              .formatted(path, got, held.config().vocabSize(), lora, shape.vocabSize()));
    }
  }
}
