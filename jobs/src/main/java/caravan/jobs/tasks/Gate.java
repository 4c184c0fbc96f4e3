package caravan.jobs.tasks;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The decision whether a model passes, and why not: the content of gate.json.
 *
 * @param decision {@code pass} or {@code refuse}
 * @param reasons the checks that failed; empty when it passes
 * @param checks every check, failed or not
 */
public record Gate(
    @JsonProperty("decision") String decision,
    @JsonProperty("reasons") List<Check> reasons,
    @JsonProperty("checks") List<Check> checks) {

  public static final String FILE = "gate.json";
  public static final String PASS = "pass";
  public static final String REFUSE = "refuse";

  private static final Set<String> LOWER_IS_BETTER = Set.of("loss", "perplexity", "bits_per_byte");
  private static final Set<String> HIGHER_IS_BETTER = Set.of("acc", "acc_norm", "token_accuracy");

  /**
   * One metric against one bound.
   *
   * @param metric task, dot, metric
   * @param got its value in this evaluation
   * @param wanted such as {@code at least 0.3}
   */
  public record Check(
      @JsonProperty("metric") String metric,
      @JsonProperty("got") double got,
      @JsonProperty("wanted") String wanted,
      @JsonProperty("passed") boolean passed) {

    /** {@code choice.acc: got 0.25, wanted at least 0.3}. */
    public String text() {
      return "%s: got %s, wanted %s".formatted(metric, shown(got), wanted);
    }
  }

  /**
   * Judges an evaluation. A value that is not a number passes no check.
   *
   * @param baseline the evaluation that {@link GateConfig#baseline} names; without one, every
   *     comparison with it fails
   * @throws IllegalArgumentException when a bound names a metric that was not measured
   */
  public static Gate of(GateConfig config, Evaluation evaluation, Optional<Evaluation> baseline) {
    Map<String, Double> metrics = evaluation.metrics();
    List<Check> checks = new ArrayList<>();
    config
        .atLeastBounds()
        .forEach(
            (name, bound) -> {
              double got = value("gate.at-least." + name, metrics, name, "this evaluation");
              checks.add(new Check(name, got, "at least " + shown(bound), got >= bound));
            });
    config
        .atMostBounds()
        .forEach(
            (name, bound) -> {
              double got = value("gate.at-most." + name, metrics, name, "this evaluation");
              checks.add(new Check(name, got, "at most " + shown(bound), got <= bound));
            });
    config
        .maxRegressionBounds()
        .forEach((name, worse) -> checks.add(regression(name, worse, metrics, baseline)));
    List<Check> failed = checks.stream().filter(check -> !check.passed()).toList();
    return new Gate(failed.isEmpty() ? PASS : REFUSE, failed, List.copyOf(checks));
  }

  public boolean passes() {
    return decision.equals(PASS);
  }

  private static Check regression(
      String name, double worse, Map<String, Double> metrics, Optional<Evaluation> baseline) {
    String key = "gate.max-regression." + name;
    double got = value(key, metrics, name, "this evaluation");
    boolean lower = lowerIsBetter(key, name);
    if (baseline.isEmpty()) {
      return new Check(name, got, "a comparison with gate.baseline, which is not given", false);
    }
    double before = value(key, baseline.get().metrics(), name, "gate.baseline");
    double bound = lower ? before + worse : before - worse;
    String wanted =
        "at %s %s (the baseline's %s %s %s)"
            .formatted(
                lower ? "most" : "least", shown(bound), shown(before), lower ? "+" : "-", worse);
    return new Check(name, got, wanted, lower ? got <= bound : got >= bound);
  }

  private static boolean lowerIsBetter(String key, String name) {
    String metric = name.substring(name.lastIndexOf('.') + 1);
    if (!LOWER_IS_BETTER.contains(metric) && !HIGHER_IS_BETTER.contains(metric)) {
      throw new IllegalArgumentException(
          "%s: wanted a metric of which better and worse are known: %s"
              .formatted(
                  key,
                  Stream.concat(HIGHER_IS_BETTER.stream(), LOWER_IS_BETTER.stream())
                      .sorted()
                      .toList()));
    }
    return LOWER_IS_BETTER.contains(metric);
  }

  private static double value(String key, Map<String, Double> metrics, String name, String where) {
    if (!metrics.containsKey(name)) {
      throw new IllegalArgumentException(
          "%s: %s has no such metric; it has %s"
              .formatted(key, where, String.join(", ", metrics.keySet())));
    }
    return metrics.get(name);
  }

  private static String shown(double value) {
    String text = String.format(Locale.ROOT, "%.6f", value);
    return text.replaceFirst("\\.?0+$", "");
  }
}
