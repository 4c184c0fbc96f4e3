package caravan.jobs.tasks;

import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What an evaluation must show for a model to pass; the keys under {@code gate} in reference.conf.
 * Metrics are named as in eval.json: task, dot, metric.
 *
 * @param atLeast smallest value of a metric, such as {@code choice.acc = 0.3}
 * @param atMost largest value of a metric, such as {@code perplexity.loss = 4.5}
 * @param maxRegression how much worse than the baseline's a metric may be, in its own unit; 0: as
 *     good or better; negative: better by as much
 * @param baseline an earlier eval.json, or the directory that holds one
 * @param exit whether a refusal is exit status 3
 */
public record GateConfig(
    Map<String, Object> atLeast,
    Map<String, Object> atMost,
    Map<String, Object> maxRegression,
    Optional<String> baseline,
    boolean exit) {

  /** Whether anything is asked: without, there is nothing to decide. */
  public boolean isActive() {
    return !(atLeast.isEmpty() && atMost.isEmpty() && maxRegression.isEmpty());
  }

  Map<String, Double> atLeastBounds() {
    return bounds("gate.at-least", atLeast);
  }

  Map<String, Double> atMostBounds() {
    return bounds("gate.at-most", atMost);
  }

  Map<String, Double> maxRegressionBounds() {
    return bounds("gate.max-regression", maxRegression);
  }

  public GateConfig {
    bounds("gate.at-least", atLeast);
    bounds("gate.at-most", atMost);
    bounds("gate.max-regression", maxRegression);
    if (baseline.isPresent() && maxRegression.isEmpty()) {
      throw new IllegalArgumentException(
          "gate.baseline: got "
              + baseline.get()
              + " and no metric to compare; add one, such as gate.max-regression.choice.acc=0");
    }
  }

  /** A tree of keys as metric names with dots. */
  private static Map<String, Double> bounds(String key, Map<String, Object> tree) {
    Map<String, Double> bounds = new TreeMap<>();
    tree.forEach(
        (name, value) -> {
          if (value instanceof Map<?, ?> inner) {
            @SuppressWarnings("unchecked")
            Map<String, Object> section = (Map<String, Object>) inner;
            bounds(key + "." + name, section)
                .forEach((rest, b) -> bounds.put(name + "." + rest, b));
          } else {
            bounds.put(name, number(key + "." + name, value));
          }
        });
    return bounds;
  }

  private static double number(String key, Object value) {
    try {
      return Double.parseDouble(String.valueOf(value));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(key + ": got \"" + value + "\", wanted a number", e);
    }
  }
}
