package caravan.model.engine;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Steps of the engine as a program, with a compiler that removes objects that do not escape: the
 * tests' own JVM has none. Prints, for the steps after the warm ones, bytes of heap per step, bytes
 * outside the heap that were added, and bytes that the process grew by.
 */
final class SteadySteps {
  private static final int STEPS = 1_000;
  private static final int WARM = 2_000;

  private SteadySteps() {}

  /**
   * @param arguments threads, bf16 (where there is oneDNN), recompute, dropout, documents per row,
   *     and how the base lies that adapters stand beside; none for training all parameters
   */
  public static void main(String[] arguments) throws IOException {
    int threads = Integer.parseInt(arguments[0]);
    CpuOptions options =
        new CpuOptions(
            Boolean.parseBoolean(arguments[1]) && OneDnn.isUsable(),
            Boolean.parseBoolean(arguments[2]));
    double dropout = Double.parseDouble(arguments[3]);
    LlamaConfig config = Examples.config(4, 2, 16, true);
    TokenBatch batch = batch(config, Integer.parseInt(arguments[4]));
    Objective objective = new Objective(0, 0, dropout, dropout, 1);
    TrainingPass pass = TrainingPass.whole(objective, 0, batch);
    Optional<WeightType> base = beside(arguments[5]);
    AdapterLayout adapters =
        new AdapterLayout(
            config, new LoraConfig(4, 8, dropout, LoraConfig.PROJECTIONS, false, List.of()));
    long length = base.isPresent() ? adapters.length() : new ParameterLayout(config).length();
    try (FrozenBase frozen = base(config, base.orElse(WeightType.F32));
        CpuEngine engine =
            base.isPresent()
                ? new CpuEngine(adapters, frozen, threads, options)
                : new CpuEngine(config, threads, options);
        FloatPointer parameters = new FloatPointer(length);
        FloatPointer gradient = new FloatPointer(length)) {
      fill(parameters);
      for (int step = 0; step < WARM; step++) {
        engine.lossAndGradient(parameters, gradient, batch, pass);
      }
      long outside = Pointer.totalBytes();
      long resident = residentBytes();
      long heap = HeapBytes.allocated();
      for (int step = 0; step < STEPS; step++) {
        engine.lossAndGradient(parameters, gradient, batch, pass);
      }
      heap = HeapBytes.allocated() - heap;
      System.out.println(
          "grew "
              + heap / STEPS
              + " "
              + (Pointer.totalBytes() - outside)
              + " "
              + (residentBytes() - resident));
    }
  }

  private static Optional<WeightType> beside(String base) {
    return base.equals("none") ? Optional.empty() : Optional.of(WeightType.valueOf(base));
  }

  /** A base of random numbers. */
  private static FrozenBase base(LlamaConfig config, WeightType type) {
    FloatPointer floats = new FloatPointer(new ParameterLayout(config).length());
    fill(floats);
    if (type == WeightType.F32) {
      return new FrozenBase(config, floats);
    }
    FrozenBase packed = FrozenBase.packed(config, type);
    for (ParameterLayout.Tensor tensor : new ParameterLayout(config).tensors()) {
      packed.put(tensor.offset(), floats.getPointer(tensor.offset()), tensor.length());
    }
    return packed;
  }

  private static void fill(FloatPointer floats) {
    Random random = new Random(1);
    for (long i = 0; i < floats.capacity(); i++) {
      floats.put(i, (float) random.nextGaussian() / 10);
    }
  }

  private static TokenBatch batch(LlamaConfig config, int documents) {
    TokenBatch plain = Examples.batch(config, 2, 32, 2);
    int[] targets = plain.targets().clone();
    for (int i = 0; i < targets.length; i++) {
      int position = i % plain.seq();
      boolean first = position > 0 && position % (plain.seq() / documents) == 0;
      targets[i] = first ? TokenBatch.marked(targets[i]) : targets[i];
    }
    return TokenBatch.ofMarked(plain.ids(), targets, plain.batch(), plain.seq());
  }

  /** Memory of this process that no file is behind. */
  private static long residentBytes() throws IOException {
    String line =
        Files.readAllLines(Path.of("/proc/self/status")).stream()
            .filter(l -> l.startsWith("RssAnon:"))
            .findFirst()
            .orElseThrow();
    return Long.parseLong(line.replaceAll("\\D+", "")) << 10;
  }
}
