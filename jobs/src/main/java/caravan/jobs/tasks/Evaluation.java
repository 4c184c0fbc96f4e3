package caravan.jobs.tasks;

import caravan.pipeline.Json;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What an evaluation measured: the content of eval.json and eval.md. A standard error is named as
 * its metric with {@code _stderr}; {@code chance} is what guessing scores.
 *
 * @param checkpoint where the model was read from
 * @param model SHA-256 of its shape and parameters
 * @param seed of everything that was sampled
 * @param tasks metrics by task, in the order they were run
 */
public record Evaluation(
    @JsonProperty("checkpoint") String checkpoint,
    @JsonProperty("model") String model,
    @JsonProperty("seed") long seed,
    @JsonProperty("tasks") Map<String, Map<String, Number>> tasks) {

  public static final String JSON_FILE = "eval.json";
  public static final String MARKDOWN_FILE = "eval.md";
  private static final String STDERR = "_stderr";
  private static final String CHANCE = "chance";

  /**
   * Reads an eval.json.
   *
   * @param location where the bytes come from, for the message
   * @throws IllegalArgumentException when it is none
   */
  public static Evaluation parse(byte[] json, String location) {
    try {
      Evaluation evaluation = Json.MAPPER.readValue(json, Evaluation.class);
      if (evaluation.tasks == null) {
        throw new IllegalArgumentException(location + ": no tasks in it, wanted an eval.json");
      }
      return evaluation;
    } catch (IOException e) {
      throw new IllegalArgumentException(
          location + ": not an eval.json that evaluate wrote (" + e.getMessage() + ")", e);
    }
  }

  /** All metrics as {@code task.metric}. */
  public Map<String, Double> metrics() {
    Map<String, Double> metrics = new LinkedHashMap<>();
    tasks.forEach(
        (task, values) ->
            values.forEach((name, value) -> metrics.put(task + "." + name, value.doubleValue())));
    return metrics;
  }

  /** One table: a line per metric, with its standard error and chance where there are any. */
  public String markdown() {
    StringBuilder text = new StringBuilder("# Evaluation of " + checkpoint + "\n\n");
    text.append("| Task | Metric | Value | Standard error | Chance |\n|---|---|---:|---:|---:|\n");
    tasks.forEach(
        (task, values) ->
            values.forEach(
                (name, value) -> {
                  if (!name.endsWith(STDERR) && !name.equals(CHANCE)) {
                    text.append(
                        "| %s | %s | %s | %s | %s |\n"
                            .formatted(
                                task,
                                name,
                                number(value),
                                number(values.get(name + STDERR)),
                                name.startsWith("acc") ? number(values.get(CHANCE)) : ""));
                  }
                }));
    return text.toString();
  }

  private static String number(Number value) {
    if (value == null) {
      return "";
    }
    return value instanceof Long || value instanceof Integer
        ? String.format(Locale.ROOT, "%,d", value.longValue())
        : String.format(Locale.ROOT, "%.4f", value.doubleValue());
  }
}
