package caravan.jobs;

import caravan.model.Adaptation;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.TrainedShape;
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
   * @param shape of what is trained; what it throws for inputs that are not there yet is told
   */
  static void print(TrainConfig config, Supplier<TrainedShape> shape) {
    TrainedShape trained;
    try {
      trained = shape.get();
    } catch (IllegalArgumentException e) {
      System.out.println("Memory: not known before the model's shape is. " + e.getMessage());
      return;
    }
    Optional<Adaptation> adaptation = Optional.ofNullable(trained.adapters());
    System.out.print(text(config, trained.model(), adaptation, machineBytes()));
  }

  /**
   * @param adaptation what is trained beside which base, where not all parameters are
   * @param machine bytes of this machine's memory
   */
  static String text(
      TrainConfig config, LlamaConfig model, Optional<Adaptation> adaptation, long machine) {
    TrainingMemory memory = TrainingMemory.of(config, model, adaptation);
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "%nMemory of a worker, %,d parameters%s, %d × %d tokens at a time:%n",
            memory.parameters(),
            adaptation.isPresent() ? " of adapters" : "",
            config.batchSequences(),
            config.sequenceLength()));
    table(text, memory.worker(), memory.workerBytes());
    boolean onGpu = !memory.gpu().isEmpty();
    if (!onGpu && !memory.worker().containsKey("activations")) {
      text.append("  (without activations and logits, which only the engines cpu and cuda tell)\n");
    }
    if (onGpu) {
      text.append("Memory of its GPU, beside CUDA's own:\n");
      table(text, memory.gpu(), memory.gpuBytes());
    }
    text.append(String.format("Memory of the driver, train.exchange=%s:%n", config.exchange()));
    table(text, memory.driver(), memory.driverBytes());
    if (!memory.disk().isEmpty()) {
      text.append("On the disks of all executors together, in spark.local.dir:\n");
      table(text, memory.disk(), memory.diskBytes());
    }
    return text.append(largest(config, model, adaptation, machine, onGpu)).toString();
  }

  private static String largest(
      TrainConfig config,
      LlamaConfig model,
      Optional<Adaptation> adaptation,
      long machine,
      boolean onGpu) {
    boolean given = config.memoryGb() > 0;
    if (onGpu && !given) {
      return "Largest model: set train.memory-gb to the memory of a GPU in GiB\n";
    }
    long bytes = given ? (long) (config.memoryGb() * GIBI) : machine / config.workers();
    return String.format(
            Locale.ROOT,
            "Largest model of these widths in %.1f GiB a %s (%s): ",
            bytes / GIBI,
            onGpu ? "GPU" : "worker",
            given ? "train.memory-gb" : "this machine's by train.workers")
        + TrainingMemory.largest(config, model, adaptation, bytes)
            .map(largest -> described(config, largest, adaptation))
            .orElse("none, not one layer\n");
  }

  /** What fits a worker, and what the cluster needs for it beside the workers. */
  private static String described(
      TrainConfig config, LlamaConfig largest, Optional<Adaptation> adaptation) {
    TrainingMemory memory = TrainingMemory.of(config, largest, adaptation);
    String beside =
        config.exchange().equals("stock")
            ? String.format(
                Locale.ROOT, "with %.1f GiB of driver memory", memory.driverBytes() / GIBI)
            : String.format(
                Locale.ROOT,
                "with nothing of its size on the driver and %.1f GiB of disk over all executors",
                memory.diskBytes() / GIBI);
    return String.format(
        Locale.ROOT,
        "%,d layers, %,d parameters%n"
            + "Largest of the cluster: the same, for each worker holds all of it, %s%n",
        largest.layerCount(),
        new ParameterLayout(largest).length(),
        beside);
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
