package caravan.jobs;

import caravan.jobs.tasks.GateConfig;
import caravan.model.engine.WeightType;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Settings of {@code evaluate}; reference.conf states each one's unit and range.
 *
 * @param tokens token shards for {@code perplexity}
 * @param items chat data for {@code choice}, JSONL for {@code loglikelihood}
 */
record EvaluateConfig(
    String checkpoint,
    Optional<String> tokenizer,
    List<Task> tasks,
    Optional<String> tokens,
    Optional<List<String>> items,
    Optional<Boolean> addBos,
    String output,
    long seed,
    Evaluation evaluate,
    GateConfig gate,
    ModelContext model,
    AdapterBase lora) {

  /** What can be measured. */
  enum Task {
    PERPLEXITY,
    CHOICE,
    LOGLIKELIHOOD;

    /** The name in settings and eval.json. */
    String key() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * @param split of the token shards: {@code validation}, {@code test} or {@code train}
   * @param maxTokens of the token shards to score, whole documents in order; 0 for all
   * @param maxItems of {@code choice}, a seeded sample; 0 for all
   * @param batchTokens scored at once
   * @param engine {@code cpu}, {@code nd4j} or {@code cuda}
   * @param weights what the parameters are rounded to before anything is measured
   * @param threads of the engine; the machine's cores where it is not given
   */
  record Evaluation(
      String split,
      long maxTokens,
      int maxItems,
      int batchTokens,
      String engine,
      WeightType weights,
      Optional<Integer> threads) {
    Evaluation {
      if (maxTokens < 0 || maxItems < 0) {
        throw new IllegalArgumentException(
            "evaluate.max-tokens and evaluate.max-items: got %d and %d, wanted 0 (all) or more"
                .formatted(maxTokens, maxItems));
      }
      if (batchTokens < 1) {
        throw new IllegalArgumentException(
            "evaluate.batch-tokens: got " + batchTokens + ", wanted at least 1");
      }
    }

    int threadCount() {
      return threads.orElseGet(() -> Runtime.getRuntime().availableProcessors());
    }
  }

  EvaluateConfig {
    if (tasks.isEmpty()) {
      throw new IllegalArgumentException(
          "tasks: got none, wanted some of perplexity, choice, loglikelihood");
    }
    if (tasks.stream().distinct().count() < tasks.size()) {
      throw new IllegalArgumentException("tasks: got " + tasks + ", wanted each once");
    }
    if (tasks.contains(Task.PERPLEXITY) && tokens.isEmpty()) {
      throw new IllegalArgumentException(
          "tokens: not given, the task perplexity reads token shards; set tokens=…");
    }
    boolean choice = tasks.contains(Task.CHOICE);
    boolean loglikelihood = tasks.contains(Task.LOGLIKELIHOOD);
    if ((choice || loglikelihood) && items.isEmpty()) {
      throw new IllegalArgumentException(
          "items: not given, the task %s reads %s; set items=…"
              .formatted(
                  choice ? "choice" : "loglikelihood",
                  choice ? "chat data" : "JSONL of context and continuation"));
    }
    if (choice && loglikelihood) {
      throw new IllegalArgumentException(
          "tasks: choice and loglikelihood read different items; run evaluate once for each");
    }
  }

  List<String> itemFiles() {
    return items.orElseThrow();
  }
}
