package caravan.model.engine;

import caravan.model.LlamaConfig;
import java.util.List;

/** Engines by the names that configurations use. */
public final class Engines {
  /** Vector API and OpenBLAS. */
  public static final String CPU = "cpu";

  /** ND4J operations only: slower, and the oracle of the others. */
  public static final String ND4J = "nd4j";

  private Engines() {}

  public static List<String> names() {
    return List.of(CPU, ND4J);
  }

  /**
   * @param threads threads of the CPU engine; ND4J takes its own from the environment
   * @throws IllegalArgumentException when there is no engine of that name
   */
  public static LlamaEngine open(String name, LlamaConfig config, int threads) {
    return switch (requireKnown(name)) {
      case CPU -> new CpuEngine(config, threads);
      default -> new Nd4jEngine(config);
    };
  }

  /** Returns the name, or says which there are. */
  public static String requireKnown(String name) {
    if (!names().contains(name)) {
      throw new IllegalArgumentException(
          "train.engine: got " + name + ", wanted one of " + String.join(", ", names()));
    }
    return name;
  }
}
