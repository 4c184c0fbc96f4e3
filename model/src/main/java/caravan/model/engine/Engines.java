package caravan.model.engine;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.engine.cuda.CudaEngine;
import caravan.model.engine.cuda.Precision;
import caravan.model.engine.cuda.TrainingPlan;
import java.util.List;
import java.util.Map;

/** Engines by the names that configurations use. */
public final class Engines {
  /** Vector API and oneDNN. */
  public static final String CPU = "cpu";

  /** ND4J operations only: slower, and the oracle of the others. */
  public static final String ND4J = "nd4j";

  /**
   * An NVIDIA GPU, in bf16; {@code cuda:tf32} and {@code cuda:fp32} compute more exactly. {@link
   * #named} makes names that say how to train.
   */
  public static final String CUDA = "cuda";

  private static final String AUTO = "auto";
  private static final String FP32 = "fp32";
  private static final String BF16 = "bf16";
  private static final Map<String, List<String>> PRECISIONS =
      Map.of(
          CPU, List.of(AUTO, FP32, BF16),
          ND4J, List.of(AUTO, FP32),
          CUDA, List.of(AUTO, BF16, "tf32", FP32));

  private static final String RECOMPUTE_BLOCK = "block";
  private static final String RECOMPUTE_NONE = "none";

  private Engines() {}

  public static List<String> names() {
    return List.of(CPU, ND4J, CUDA);
  }

  /**
   * The name of an engine that trains in a certain way.
   *
   * @param precision of matrix products; auto is bf16 on a GPU and where the processor multiplies
   *     bf16 itself, else fp32
   * @param recompute none, or block: keep only each block's input for the backward pass
   * @throws IllegalArgumentException when the engine has no such way
   */
  public static String named(String engine, String precision, String recompute) {
    List<String> precisions = PRECISIONS.get(requireKnown(engine));
    if (!precisions.contains(precision)) {
      throw new IllegalArgumentException(
          "train.precision: got %s with train.engine %s, wanted one of %s"
              .formatted(precision, engine, String.join(", ", precisions)));
    }
    List<String> ways =
        engine.equals(ND4J) ? List.of(RECOMPUTE_NONE) : List.of(RECOMPUTE_NONE, RECOMPUTE_BLOCK);
    if (!ways.contains(recompute)) {
      throw new IllegalArgumentException(
          "train.recompute: got %s with train.engine %s, wanted one of %s"
              .formatted(recompute, engine, String.join(", ", ways)));
    }
    return engine.equals(ND4J) ? ND4J : String.join(":", engine, precision, recompute);
  }

  /**
   * The CPU engine needs the Vector API; without it, it is ND4J's operations that compute.
   *
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
      case CPU ->
          VectorApi.isPresent()
              ? new CpuEngine(config, threads, cpuOptions(name))
              : new Nd4jEngine(config);
      case CUDA -> new CudaEngine(config, cudaOptions(parts, device));
      default -> new Nd4jEngine(config);
    };
  }

  /** How the CPU engine of that name trains, on this machine. */
  public static CpuOptions cpuOptions(String name) {
    String[] parts = requireKnown(name).split(":");
    boolean inHalves =
        VectorApi.isPresent()
            && (precision(parts).equals(BF16)
                || precision(parts).equals(AUTO) && CpuEngine.multipliesHalves());
    return new CpuOptions(inHalves, block(parts));
  }

  /**
   * Bytes on the GPU that training all parameters takes, by part.
   *
   * @param name of an engine on a GPU
   * @param tokens that go through at a time
   * @param stateVectors of the optimizer
   */
  public static Map<String, Long> gpuMemory(
      String name, LlamaConfig config, int tokens, int stateVectors) {
    String[] parts = requireKnown(name).split(":");
    return TrainingPlan.of(config, cudaOptions(parts, 0), tokens, stateVectors);
  }

  private static CudaEngine.Options cudaOptions(String[] parts, int device) {
    boolean auto = parts.length == 1 || precision(parts).equals(AUTO);
    Precision precision = auto ? Precision.BF16 : Precision.named(precision(parts));
    return new CudaEngine.Options(device, precision, block(parts));
  }

  /** What a bare name means on the CPU is fp32. */
  private static String precision(String[] parts) {
    return parts.length > 1 ? parts[1] : FP32;
  }

  private static boolean block(String[] parts) {
    return parts.length > 2 && parts[2].equals(RECOMPUTE_BLOCK);
  }

  /** Whether an engine computes with packed weights, on this machine. */
  public static boolean packs(String name) {
    return requireKnown(name).equals(CPU) && VectorApi.isPresent();
  }

  /**
   * An engine to generate and score with, whose weights stay as they are.
   *
   * @param weights what it makes of the parameters, where it is the CPU engine
   * @throws IllegalArgumentException when another engine is to have packed weights
   */
  public static LlamaEngine open(String name, LlamaConfig config, int threads, WeightType weights) {
    if (packs(name)) {
      return new CpuEngine(config, threads, weights);
    }
    if (weights != WeightType.F32) {
      throw new IllegalArgumentException(
          "weights: got %s with the engine %s, wanted f32: the engine cpu alone packs weights"
              .formatted(weights.key(), name));
    }
    return open(name, config, threads);
  }

  /**
   * An engine whose parameters are adapters and what is trained in full beside a frozen base.
   *
   * @param device index of the GPU, for an engine on one
   * @throws IllegalArgumentException when the base is another model's
   */
  public static LlamaEngine beside(
      String name, AdapterLayout layout, FrozenBase base, int threads, int device) {
    layout.requireBase(base.config());
    String[] parts = requireKnown(name).split(":");
    return switch (parts[0]) {
      case CPU -> new CpuEngine(layout, base, threads, cpuOptions(name));
      case CUDA -> new CudaEngine(layout, base, cudaOptions(parts, device));
      default -> new Nd4jAdapters(layout, base);
    };
  }

  /** Returns the name, or says which there are. */
  public static String requireKnown(String name) {
    String[] parts = name.split(":");
    if (!names().contains(parts[0]) || parts.length > 3) {
      throw new IllegalArgumentException(
          "train.engine: got " + name + ", wanted one of " + String.join(", ", names()));
    }
    if (parts.length > 1) {
      named(parts[0], parts[1], parts.length > 2 ? parts[2] : RECOMPUTE_NONE);
    }
    return name;
  }
}
