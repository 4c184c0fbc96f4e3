package caravan.jobs;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.Engines;
import caravan.model.train.TrainConfig;
import caravan.model.train.TrainingMemory;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** What a dry run of a training tells of its memory. */
final class MemoryNeeds {
  private static final double MEBI = 1 << 20;
  private static final double GIBI = 1 << 30;

  private MemoryNeeds() {}

  /**
   * @param shape of the model; what it throws for inputs that are not there yet is told
   */
  static void print(TrainConfig config, Supplier<LlamaConfig> shape) {
    LlamaConfig model;
    try {
      model = shape.get();
    } catch (IllegalArgumentException e) {
      System.out.println("Memory: not known before the model's shape is. " + e.getMessage());
      return;
    }
    System.out.print(text(config, model, machineBytes()));
  }

  /**
   * @param machine bytes of this machine's memory
   */
  static String text(TrainConfig config, LlamaConfig model, long machine) {
    TrainingMemory memory = TrainingMemory.of(config, model);
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "%nMemory of a worker, %,d parameters, %d × %d tokens at a time:%n",
            memory.parameters(),
            config.batchSequences(),
            config.sequenceLength()));
    table(text, memory.worker(), memory.workerBytes());
    if (!config.engine().equals(Engines.CPU)) {
      text.append("  (without activations and logits, which only the engine cpu tells)\n");
    }
    text.append(String.format("Memory of the driver, train.exchange=%s:%n", config.exchange()));
    table(text, memory.driver(), memory.driverBytes());
    boolean given = config.memoryGb() > 0;
    long bytes = given ? (long) (config.memoryGb() * GIBI) : machine / config.workers();
    Optional<LlamaConfig> largest = TrainingMemory.largest(config, model, bytes);
    text.append(
        String.format(
            Locale.ROOT,
            "Largest model of these widths in %.1f GiB a worker (%s): ",
            bytes / GIBI,
            given ? "train.memory-gb" : "this machine's by train.workers"));
    text.append(
        largest
            .map(
                fits ->
                    String.format(
                        Locale.ROOT,
                        "%,d layers, %,d parameters%n",
                        fits.layerCount(),
                        new ParameterLayout(fits).length()))
            .orElse("none, not one layer\n"));
    return text.toString();
  }

  private static void table(StringBuilder text, Map<String, Long> parts, long sum) {
    parts.forEach(
        (part, bytes) -> {
          if (bytes > 0) {
            row(text, part, bytes);
          }
        });
    row(text, "in sum", sum);
  }

  private static void row(StringBuilder text, String part, long bytes) {
    text.append(String.format(Locale.ROOT, "  %-45s %,12.1f MiB%n", part, bytes / MEBI));
  }

  private static long machineBytes() {
    return ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class)
        .getTotalMemorySize();
  }
}
