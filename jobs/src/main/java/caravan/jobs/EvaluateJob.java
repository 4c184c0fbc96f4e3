package caravan.jobs;

import caravan.jobs.EvaluateConfig.Task;
import caravan.jobs.tasks.Evaluation;
import caravan.jobs.tasks.Gate;
import caravan.model.engine.Engines;
import caravan.model.engine.WeightType;
import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;

/**
 * Measures a checkpoint: eval.json and eval.md, with {@code gate.*} settings also gate.json. The
 * measurements are kept as long as model, inputs and settings stay the same; the gate is judged
 * anew each time.
 */
@Command(name = "evaluate", description = "checkpoint + tasks → eval.json, eval.md, gate.json")
final class EvaluateJob extends Job<EvaluateConfig> {
  /** Kind of an evaluation's output in its manifest. */
  static final String KIND = "evaluation";

  private static final Logger log = LoggerFactory.getLogger(EvaluateJob.class);

  EvaluateJob() {
    super(EvaluateConfig.class);
  }

  @Override
  protected int run(EvaluateConfig config) {
    Configuration hadoop = hadoop();
    Path output = new Path(config.output());
    Evaluation evaluation = evaluation(config, hadoop, output);
    System.out.print(evaluation.markdown());
    if (!config.gate().isActive()) {
      return Caravan.DONE;
    }
    Gate gate = Gate.of(config.gate(), evaluation, baseline(config, hadoop));
    new Storage(hadoop).writeAtomically(new Path(output, Gate.FILE), Json.bytes(gate));
    System.out.printf("%ngate: %s%n", gate.decision());
    gate.reasons().forEach(reason -> System.out.println("  " + reason.text()));
    return config.gate().exit() && !gate.passes() ? Caravan.REFUSED : Caravan.DONE;
  }

  private Evaluation evaluation(EvaluateConfig config, Configuration hadoop, Path output) {
    WeightType weights = config.evaluate().weights();
    boolean packs = Engines.packs(config.evaluate().engine());
    try (LoadedModel model =
        LoadedModel.open(
            config.checkpoint(),
            config.lora(),
            config.tokenizer(),
            config.model(),
            config.evaluate().engine(),
            config.evaluate().threadCount(),
            packs ? weights : WeightType.F32,
            hadoop)) {
      String modelHash = model.sha256();
      List<Manifest.Input> inputs = inputs(config, modelHash, hadoop);
      String configHash = configHash(config, model);
      boolean upToDate = isUpToDate(output, inputs, configHash, hadoop);
      if (upToDate && !force()) {
        System.err.println(output + ": valid, nothing to measure again");
        return readEvaluation(new Path(output, Evaluation.JSON_FILE), hadoop);
      }
      if (!packs) {
        model.round(weights);
      }
      Evaluation evaluation =
          new Evaluation(config.checkpoint(), modelHash, config.seed(), measured(config, model));
      write(evaluation, inputs, configHash, config, hadoop);
      return evaluation;
    }
  }

  /**
   * @throws IllegalArgumentException when the directory holds something else
   */
  private static boolean isUpToDate(
      Path output, List<Manifest.Input> inputs, String configHash, Configuration hadoop) {
    Optional<Manifest> done = Manifest.find(hadoop, output);
    if (done.isPresent() && !done.get().kind().equals(KIND)) {
      throw new IllegalArgumentException(
          "output %s: holds %s, wanted an empty directory or an evaluation; choose another output"
              .formatted(output, done.get().kind()));
    }
    if (done.isEmpty()
        || !done.get().inputs().equals(inputs)
        || !done.get().configHash().equals(configHash)) {
      return false;
    }
    try {
      done.get().checkFiles(hadoop, output);
      return true;
    } catch (IllegalArgumentException e) {
      log.warn("the evaluation is damaged and made again: {}", e.getMessage());
      return false;
    }
  }

  private Map<String, Map<String, Number>> measured(EvaluateConfig config, LoadedModel model) {
    EvaluationTasks tasks = new EvaluationTasks(model, config, hadoop());
    Map<String, Map<String, Number>> results = new LinkedHashMap<>();
    for (Task task : config.tasks()) {
      results.put(
          task.key(),
          switch (task) {
            case PERPLEXITY -> tasks.perplexity();
            case CHOICE -> tasks.choice();
            case LOGLIKELIHOOD -> tasks.loglikelihood();
          });
    }
    return results;
  }

  /** Everything that the measurements depend on beside the settings. */
  private static List<Manifest.Input> inputs(
      EvaluateConfig config, String modelHash, Configuration hadoop) {
    List<Manifest.Input> inputs = new ArrayList<>();
    inputs.add(new Manifest.Input(config.checkpoint(), 0, modelHash));
    config
        .tokens()
        .filter(tokens -> config.tasks().contains(Task.PERPLEXITY))
        .map(tokens -> Manifest.read(hadoop, new Path(tokens), Manifest.TOKENS).contentHash())
        .ifPresent(hash -> inputs.add(new Manifest.Input(config.tokens().get(), 0, hash)));
    config
        .items()
        .filter(items -> config.tasks().stream().anyMatch(task -> task != Task.PERPLEXITY))
        .ifPresent(items -> inputs.addAll(Inputs.resolve(hadoop, items).fingerprints()));
    return inputs;
  }

  /** Neither the gate nor the number of threads changes what is measured. */
  private static String configHash(EvaluateConfig config, LoadedModel model) {
    Map<String, Object> settings = new LinkedHashMap<>();
    settings.put("tokenizer", model.tokenizer().sha256());
    settings.put("tasks", config.tasks());
    settings.put("seed", config.seed());
    settings.put("add-bos", model.addsBos(config.addBos()));
    settings.put("split", config.evaluate().split());
    settings.put("max-tokens", config.evaluate().maxTokens());
    settings.put("max-items", config.evaluate().maxItems());
    settings.put("engine", config.evaluate().engine());
    settings.put("weights", config.evaluate().weights());
    return Manifest.hashOf(settings);
  }

  private static void write(
      Evaluation evaluation,
      List<Manifest.Input> inputs,
      String configHash,
      EvaluateConfig config,
      Configuration hadoop) {
    Path output = new Path(config.output());
    Storage storage = new Storage(hadoop);
    // An old manifest must not vouch for new files.
    storage.delete(new Path(output, Manifest.FILE_NAME));
    storage.delete(new Path(output, Gate.FILE));
    storage.writeAtomically(new Path(output, Evaluation.JSON_FILE), Json.bytes(evaluation));
    storage.writeAtomically(
        new Path(output, Evaluation.MARKDOWN_FILE),
        evaluation.markdown().getBytes(StandardCharsets.UTF_8));
    List<String> files = new ArrayList<>(List.of(Evaluation.JSON_FILE, Evaluation.MARKDOWN_FILE));
    if (config.tasks().contains(Task.LOGLIKELIHOOD)) {
      files.add(EvaluationTasks.LOGLIKELIHOOD_FILE);
    }
    Manifest.of(
            KIND,
            inputs,
            configHash,
            Map.of("tasks", (long) config.tasks().size()),
            files.stream().map(file -> Manifest.describe(hadoop, output, file)).toList(),
            Manifest.hashOf(evaluation.tasks()),
            Map.of())
        .write(hadoop, output);
  }

  private static Optional<Evaluation> baseline(EvaluateConfig config, Configuration hadoop) {
    return config
        .gate()
        .baseline()
        .map(Path::new)
        .map(path -> path.getName().endsWith(".json") ? path : new Path(path, Evaluation.JSON_FILE))
        .map(path -> readEvaluation(path, hadoop));
  }

  private static Evaluation readEvaluation(Path file, Configuration hadoop) {
    Storage storage = new Storage(hadoop);
    if (!storage.exists(file)) {
      throw new IllegalArgumentException(
          file + ": no such file, wanted the eval.json of an earlier evaluate");
    }
    return Evaluation.parse(storage.read(file), file.toString());
  }
}
