package caravan.model.train;

import caravan.model.Adaptation;
import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.TrainedShape;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.Engines;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.VectorApi;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Memory that a training takes, in bytes, before it begins. On the CPU engine the worker's parts
 * are what it then allocates, on an engine on a GPU the GPU's are, where all parameters are
 * trained; of others, and where ND4J stands in for the CPU engine, activations and logits are left
 * out.
 *
 * @param parameters that are trained
 * @param worker parts of one worker
 * @param gpu parts of one worker's GPU; none without one
 * @param driver parts of the driver; none where the model lies with the executors
 * @param disk parts on the disks of all executors together, in their {@code spark.local.dir}
 */
public record TrainingMemory(
    long parameters,
    Map<String, Long> worker,
    Map<String, Long> gpu,
    Map<String, Long> driver,
    Map<String, Long> disk) {
  private static final int MOST_LAYERS = 1 << 12;

  /**
   * @throws IllegalArgumentException when a pattern of {@code train.freeze} fits no tensor
   */
  public static TrainingMemory of(TrainConfig config, LlamaConfig model) {
    return of(config, model, Optional.empty());
  }

  /**
   * @param adaptation what is trained beside which base, where not all parameters are
   */
  public static TrainingMemory of(
      TrainConfig config, LlamaConfig model, Optional<Adaptation> adaptation) {
    return of(config, model, adaptation, config.updater(model));
  }

  private static TrainingMemory of(
      TrainConfig config,
      LlamaConfig model,
      Optional<Adaptation> adaptation,
      FlatOptimizer updater) {
    long parameters = TrainedShape.of(model, adaptation).layout().length();
    long state = updater.stateVectors() * updater.turns().longest(parameters);
    long sent = (parameters + state) * Float.BYTES;
    Map<String, Long> worker = new LinkedHashMap<>();
    adaptation.ifPresent(
        a ->
            worker.put(
                "frozen base in %s, once per executor".formatted(a.baseWeights().key()),
                FrozenBase.bytes(model, a.baseWeights())));
    worker.put(adaptation.isPresent() ? "adapters" : "parameters", parameters * Float.BYTES);
    worker.put("gradient", parameters * Float.BYTES);
    worker.put("optimizer state", state * Float.BYTES);
    if (config.engine().equals(Engines.CPU) && VectorApi.isPresent()) {
      worker.putAll(
          CpuEngine.trainingMemory(
              model,
              adaptation.map(
                  a -> new CpuEngine.Frozen(new AdapterLayout(model, a.lora()), a.baseWeights())),
              config.batchSequences(),
              config.sequenceLength(),
              config.threads(),
              Engines.cpuOptions(config.engineName()),
              config.dropout().residual() > 0));
    }
    Map<String, Long> gpu =
        config.engine().equals(Engines.CUDA) && adaptation.isEmpty()
            ? Engines.gpuMemory(
                config.engineName(),
                model,
                config.batchSequences() * config.sequenceLength(),
                updater.stateVectors())
            : Map.of();
    Map<String, Long> driver = new LinkedHashMap<>();
    Map<String, Long> disk = new LinkedHashMap<>();
    if (config.exchange().equals("stock")) {
      driver.put("graph", sent + parameters * Float.BYTES);
      worker.put("state as it comes and goes, on the heap", 2 * sent);
      driver.put("state as it goes and its mean, on the heap", 2 * sent);
      driver.put("state of each worker, on the heap", config.workers() * sent);
    } else {
      long travels = config.moments().equals("average") ? sent : parameters * Float.BYTES;
      long velocity = config.outer().kind().equals("average") ? 0 : parameters * Float.BYTES;
      long saved = 0;
      if (!config.exchangePrecision().equals("fp32")) {
        worker.put("parameters as the round began", parameters * Float.BYTES);
        saved = parameters * (Float.BYTES - Short.BYTES);
      }
      disk.put("state of each worker in the shuffle", config.workers() * (travels - saved));
      // The old one is deleted when the new one is whole.
      disk.put("state before and after a round", 2 * (travels + velocity));
    }
    return new TrainingMemory(parameters, worker, gpu, driver, disk);
  }

  public long workerBytes() {
    return worker.values().stream().mapToLong(Long::longValue).sum();
  }

  public long gpuBytes() {
    return gpu.values().stream().mapToLong(Long::longValue).sum();
  }

  public long driverBytes() {
    return driver.values().stream().mapToLong(Long::longValue).sum();
  }

  public long diskBytes() {
    return disk.values().stream().mapToLong(Long::longValue).sum();
  }

  /**
   * The model of most layers, of these widths, for which a worker's memory is enough, or its GPU's
   * where it has one.
   *
   * @param adaptation what is trained beside which base, where not all parameters are
   * @param bytes of that memory
   * @return empty where not even one layer fits
   */
  public static Optional<LlamaConfig> largest(
      TrainConfig config, LlamaConfig model, Optional<Adaptation> adaptation, long bytes) {
    int fits = 0;
    int tooMany = 1;
    while (tooMany < MOST_LAYERS && fits(config, layers(model, tooMany), adaptation, bytes)) {
      fits = tooMany;
      tooMany *= 2;
    }
    while (tooMany - fits > 1) {
      int middle = (fits + tooMany) / 2;
      if (fits(config, layers(model, middle), adaptation, bytes)) {
        fits = middle;
      } else {
        tooMany = middle;
      }
    }
    return fits == 0 ? Optional.empty() : Optional.of(layers(model, fits));
  }

  private static boolean fits(
      TrainConfig config, LlamaConfig model, Optional<Adaptation> adaptation, long bytes) {
    List<String> frozen = TrainedTensors.fitting(new ParameterLayout(model), config.freeze());
    FlatOptimizer updater = config.updater(model, frozen);
    TrainingMemory memory = of(config, model, adaptation, updater);
    return (memory.gpu().isEmpty() ? memory.workerBytes() : memory.gpuBytes()) <= bytes;
  }

  private static LlamaConfig layers(LlamaConfig model, int layers) {
    return new LlamaConfig(
        model.hiddenSize(),
        model.intermediateSize(),
        layers,
        model.headCount(),
        model.kvHeadCount(),
        model.headDim(),
        model.vocabSize(),
        model.contextLength(),
        model.ropeTheta(),
        model.normEps(),
        model.tiedEmbeddings(),
        model.ropeScaling());
  }
}
