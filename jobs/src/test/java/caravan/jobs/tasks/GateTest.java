package caravan.jobs.tasks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.jobs.tasks.Gate.Check;
import caravan.pipeline.Json;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class GateTest {
  private static final Map<String, Object> NONE = Map.of();

  private static Evaluation evaluation(double loss, double accuracy) {
    return new Evaluation(
        "models/a",
        "0",
        42,
        Map.of(
            "perplexity", Map.of("loss", loss, "tokens", 100L),
            "choice", Map.of("acc", accuracy)));
  }

  private static GateConfig config(
      Map<String, Object> atLeast, Map<String, Object> atMost, Map<String, Object> regression) {
    return new GateConfig(atLeast, atMost, regression, Optional.empty(), false);
  }

  @Test
  void aModelWithinAllBoundsPassesWithoutReasons() {
    GateConfig config =
        config(
            Map.of("choice", Map.of("acc", "0.5")),
            Map.of("perplexity", Map.of("loss", 4)),
            Map.of("choice", Map.of("acc", 0), "perplexity", Map.of("loss", 0.1)));

    Gate gate = Gate.of(config, evaluation(3.05, 0.5), Optional.of(evaluation(3, 0.5)));

    assertThat(gate.decision()).isEqualTo("pass");
    assertThat(gate.passes()).isTrue();
    assertThat(gate.reasons()).isEmpty();
    assertThat(gate.checks()).hasSize(4).allMatch(Check::passed);
  }

  @Test
  void everyBoundThatIsNotMetIsAReasonWithGotAndWanted() {
    GateConfig config =
        config(
            Map.of("choice", Map.of("acc", 0.5)),
            Map.of("perplexity", Map.of("loss", 3)),
            Map.of("choice", Map.of("acc", 0), "perplexity", Map.of("loss", 0.1)));

    Gate gate = Gate.of(config, evaluation(3.25, 0.25), Optional.of(evaluation(3, 0.26)));

    assertThat(gate.decision()).isEqualTo("refuse");
    assertThat(gate.reasons())
        .extracting(Check::text)
        .containsExactly(
            "choice.acc: got 0.25, wanted at least 0.5",
            "perplexity.loss: got 3.25, wanted at most 3",
            "choice.acc: got 0.25, wanted at least 0.26 (the baseline's 0.26 - 0.0)",
            "perplexity.loss: got 3.25, wanted at most 3.1 (the baseline's 3 + 0.1)");
  }

  @Test
  void aNegativeRegressionAsksForAnImprovement() {
    GateConfig config = config(NONE, NONE, Map.of("perplexity", Map.of("loss", -0.5)));

    assertThat(Gate.of(config, evaluation(2.6, 0), Optional.of(evaluation(3, 0))).passes())
        .isFalse();
    assertThat(Gate.of(config, evaluation(2.5, 0), Optional.of(evaluation(3, 0))).passes())
        .isTrue();
  }

  @Test
  void aValueThatIsNoNumberPassesNothing() {
    GateConfig both =
        config(Map.of("choice", Map.of("acc", 0)), Map.of("perplexity", Map.of("loss", 100)), NONE);

    assertThat(Gate.of(both, evaluation(Double.NaN, Double.NaN), Optional.empty()).reasons())
        .hasSize(2);
  }

  @Test
  void aComparisonWithoutABaselineIsRefused() {
    GateConfig config = config(NONE, NONE, Map.of("choice", Map.of("acc", 0)));

    assertThat(Gate.of(config, evaluation(3, 1), Optional.empty()).reasons())
        .extracting(Check::text)
        .containsExactly(
            "choice.acc: got 1, wanted a comparison with gate.baseline, which is not given");
  }

  @Test
  void boundsOfUnknownMetricsAreMistakes() {
    assertThatThrownBy(
            () ->
                Gate.of(
                    config(Map.of("choice", Map.of("accuracy", 1)), NONE, NONE),
                    evaluation(1, 1),
                    Optional.empty()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(
            "gate.at-least.choice.accuracy: this evaluation has no such metric; it has ")
        .hasMessageContaining("choice.acc");
    assertThatThrownBy(
            () ->
                Gate.of(
                    config(NONE, NONE, Map.of("perplexity", Map.of("tokens", 1))),
                    evaluation(1, 1),
                    Optional.empty()))
        .hasMessage(
            "gate.max-regression.perplexity.tokens: wanted a metric of which better and worse are"
                + " known: [acc, acc_norm, bits_per_byte, loss, perplexity, token_accuracy]");
  }

  @Test
  void settingsThatCannotBeMeantAreMistakes() {
    assertThatThrownBy(() -> config(Map.of("choice", Map.of("acc", "high")), NONE, NONE))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("gate.at-least.choice.acc: got \"high\", wanted a number");
    assertThatThrownBy(() -> new GateConfig(NONE, NONE, NONE, Optional.of("eval.json"), false))
        .hasMessage(
            "gate.baseline: got eval.json and no metric to compare; add one, such as"
                + " gate.max-regression.choice.acc=0");
    assertThat(config(NONE, NONE, NONE).isActive()).isFalse();
  }

  @Test
  void evaluationsSurviveTheirFile() {
    Evaluation written = evaluation(3.25, 0.5);

    Evaluation read = Evaluation.parse(Json.bytes(written), "eval.json");

    assertThat(read.metrics()).isEqualTo(written.metrics());
    assertThatThrownBy(() -> Evaluation.parse("[]".getBytes(), "x/eval.json"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("x/eval.json: not an eval.json that evaluate wrote (");
    assertThatThrownBy(() -> Evaluation.parse("{}".getBytes(), "x/eval.json"))
        .hasMessage("x/eval.json: no tasks in it, wanted an eval.json");
  }
}
