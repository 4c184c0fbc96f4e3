package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/** What {@link CudaEngine} allocates on a GPU to train all parameters, added up without one. */
public final class TrainingPlan implements GpuMemory {
  /** Of an H100; others' differ, and with them some hundred kilobytes of partial sums. */
  private static final int MULTIPROCESSORS = 132;

  private final int multiprocessors;
  private final Map<String, Long> parts = new LinkedHashMap<>();

  TrainingPlan(int multiprocessors) {
    this.multiprocessors = multiprocessors;
  }

  /**
   * Bytes by part, named as the engine names them when memory runs out. Batches, tables of angles
   * and results take some megabytes beside them, CUDA itself some hundred.
   *
   * @param tokens that go through at a time
   * @param stateVectors of the optimizer
   */
  public static Map<String, Long> of(
      LlamaConfig config, CudaEngine.Options options, int tokens, int stateVectors) {
    return of(config, options, tokens, stateVectors, MULTIPROCESSORS);
  }

  static Map<String, Long> of(
      LlamaConfig config,
      CudaEngine.Options options,
      int tokens,
      int stateVectors,
      int multiprocessors) {
    TrainingPlan plan = new TrainingPlan(multiprocessors);
    long length = 0;
    for (Tensor tensor : new ParameterLayout(config).tensors()) {
      length += (tensor.length() + DeviceParameters.ALIGNMENT - 1) / DeviceParameters.ALIGNMENT;
    }
    length *= DeviceParameters.ALIGNMENT;
    plan.allocate("master weights", length * Float.BYTES);
    if (options.precision().half()) {
      plan.allocate("bf16 weights", length * options.precision().bytes());
    }
    plan.allocate("gradients", length * Float.BYTES);
    String[] state = {"first moments", "second moments"};
    for (int i = 0; i < stateVectors; i++) {
      plan.allocate(state[i], length * Float.BYTES);
    }
    // Counts what it asks for; what it is given are no addresses.
    new CudaActivations(plan, options.precision(), config, tokens, true, options.recompute());
    return plan.parts;
  }

  @Override
  public long allocate(String what, long bytes) {
    parts.merge(what, Math.max(bytes, 1), Long::sum);
    return 1;
  }

  @Override
  public void free(long address) {}

  @Override
  public int multiprocessors() {
    return multiprocessors;
  }
}
