package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.engine.cuda.CudaEngine;
import caravan.model.engine.cuda.Precision;
import java.util.List;

/** Engines by the names that configurations use. */
public final class Engines {
  /** Vector API and oneDNN. */
  public static final String CPU = "cpu";

  /** ND4J operations only: slower, and the oracle of the others. */
  public static final String ND4J = "nd4j";

  /**
   * An NVIDIA GPU, in bf16; {@code cuda:tf32} and {@code cuda:fp32} compute more exactly, and
   * {@code cuda:bf16:block} keeps less for the backward pass.
   */
  public static final String CUDA = "cuda";

  private static final String RECOMPUTE_BLOCK = "block";
  private static final String RECOMPUTE_NONE = "none";

  private Engines() {}

  public static List<String> names() {
    return List.of(CPU, ND4J, CUDA);
  }

  /**
   * The name of an engine on a GPU.
   *
   * @param precision bf16, tf32 or fp32
   * @param recompute none, or block: keep only each block's input for the backward pass
   * @throws IllegalArgumentException when one of them is none of these
   */
  public static String cuda(String precision, String recompute) {
    Precision.named(precision);
    if (!recompute.equals(RECOMPUTE_BLOCK) && !recompute.equals(RECOMPUTE_NONE)) {
      throw new IllegalArgumentException(
          "train.cuda.recompute: got " + recompute + ", wanted one of none, block");
    }
    return String.join(":", CUDA, precision, recompute);
  }

  /**
   * @param threads threads of the CPU engine; ND4J takes its own from the environment
   * @throws IllegalArgumentException when there is no engine of that name, or it needs a GPU or a
   *     library that is not there
   */
  public static LlamaEngine open(String name, LlamaConfig config, int threads) {
    return open(name, config, threads, 0);
  }

  /**
   * @param device index of the GPU, for an engine on one
   */
  public static LlamaEngine open(String name, LlamaConfig config, int threads, int device) {
    String[] parts = requireKnown(name).split(":");
    return switch (parts[0]) {
      case CPU -> new CpuEngine(config, threads, cpuOptions(name));
      case CUDA ->
          new CudaEngine(
              config,
              new CudaEngine.Options(
                  device,
                  parts.length > 1 ? Precision.named(parts[1]) : Precision.BF16,
                  parts.length > 2 && parts[2].equals(RECOMPUTE_BLOCK)));
      default -> new Nd4jEngine(config);
    };
  }

  /** How the CPU engine of this name trains. */
  public static CpuOptions cpuOptions(String name) {
    String[] parts = name.split(":");
    return new CpuOptions(parts.length > 1 && Precision.named(parts[1]) == Precision.BF16);
  }

  /**
   * An engine to generate and score with, whose weights stay as they are.
   *
   * @param weights what it makes of the parameters, where it is the CPU engine
   * @throws IllegalArgumentException when another engine is to have packed weights
   */
  public static LlamaEngine open(String name, LlamaConfig config, int threads, WeightType weights) {
    if (requireKnown(name).equals(CPU)) {
      return new CpuEngine(config, threads, weights);
    }
    if (weights != WeightType.F32) {
      throw new IllegalArgumentException(
          "weights: got %s with the engine %s, wanted f32: the engine cpu alone packs weights"
              .formatted(weights.key(), name));
    }
    return open(name, config, threads);
  }

  /** Returns the name, or says which there are. */
  public static String requireKnown(String name) {
    String[] parts = name.split(":");
    if (!names().contains(parts[0]) || parts.length > (parts[0].equals(ND4J) ? 1 : 3)) {
      throw new IllegalArgumentException(
          "train.engine: got " + name + ", wanted one of " + String.join(", ", names()));
    }
    if (parts.length > 1) {
      cuda(parts[1], parts.length > 2 ? parts[2] : RECOMPUTE_NONE);
    }
    return name;
  }
}
