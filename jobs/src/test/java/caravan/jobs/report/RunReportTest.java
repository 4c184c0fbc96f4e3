package caravan.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import caravan.jobs.report.RunReport.Sample;
import caravan.model.train.Metrics;
import caravan.pipeline.StageReport;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RunReportTest {
  @Test
  void droppedDocumentsStandByReasonTheMostFrequentFirst() {
    List<StageReport.Group> groups =
        List.of(
            new StageReport.Group("kept", "news", "zh", 5, 500, 490),
            new StageReport.Group("bullet_lines", "news", "zh", 1, 20, 20),
            new StageReport.Group("too_short", "news", "en", 7, 70, 70));
    StageReport stage = new StageReport("clean", 3, groups, Map.of("whitespace", 10L), Map.of());
    assertThat(new RunReport("run").stage(stage).html())
        .contains("Kept 5 of 13 documents and 490 of 590 characters in 3 s.")
        .contains("<td>whitespace</td><td class=\"number\">10</td>")
        .containsSubsequence(
            "<td>too_short</td><td class=\"number\">7</td>", "<td>bullet_lines</td>");
  }

  @Test
  void lossesAreDrawnWithTheBigramBesideThem() {
    List<Metrics> metrics =
        List.of(
            line(0, null, 8.3, null, null),
            line(1, 8.2, null, null, null),
            line(2, 7.9, 7.8, null, null));
    String html =
        new RunReport("run")
            .training("pretrain", metrics, Optional.of(new BigramBaseline(5.4321, .7, 1000, 50)))
            .html();
    assertThat(html)
        .contains("training 7.900", "validation 7.800", "bigram 5.432")
        .contains("1,000 training tokens, scored on the same 50 held-out tokens");
  }

  private static Metrics line(
      int step,
      Double loss,
      Double validation,
      Metrics.Timing timing,
      Map<String, Double> mixture) {
    int round = step / 20;
    return new Metrics(
        step, round, step, loss, 1e-3, 1.0, 9e3, validation, null, null, timing, null, mixture);
  }

  private static List<Metrics> run(double scale) {
    List<Metrics> metrics = new ArrayList<>();
    for (int step = 1; step <= 400; step++) {
      double loss = scale * (3 + 5 * Math.exp(-step / 80.0) + 0.1 * Math.sin(step * step));
      Double validation = step % 50 == 0 ? loss + 0.1 : null;
      Metrics.Timing timing =
          step % 20 == 0
              ? new Metrics.Timing(2, 0.1, 0.3 / scale, 0.4, new double[] {loss, loss + 0.05})
              : null;
      Map<String, Double> mixture = timing == null ? null : Map.of("web_zh", 0.25 * scale);
      metrics.add(line(step, loss, validation, timing, mixture));
    }
    return metrics;
  }

  @Test
  void runsLieOverEachOtherAndARoundTellsWhereItsTimeWent() {
    Map<String, List<Metrics>> runs = new LinkedHashMap<>();
    runs.put("this", run(1));
    runs.put("work/run-2", run(0.9));
    String html =
        new RunReport("pretrain")
            .training("loss", run(1), Optional.empty())
            .course(run(1))
            .beside(runs)
            .html();
    assertThat(html)
        .contains(
            "compute 2.000",
            "wait 0.100",
            "exchange 0.300",
            "MFU 0.400",
            "worker 1 ",
            "web_zh 0.250")
        .contains("Held-out loss of each run", "work/run-2 2.");
  }

  @Test
  void everyMetricStandsWithItsStandardErrorAndChance() {
    Map<String, Number> choice = new java.util.LinkedHashMap<>();
    choice.put("acc", 0.5);
    choice.put("acc_stderr", 0.0312);
    choice.put("items", 200);
    choice.put("chance", 0.25);
    String html = new RunReport("run").evaluation("evaluation", Map.of("choice", choice)).html();
    assertThat(html)
        .contains(
            "<td>choice</td><td>acc</td><td>0.5000</td><td>0.0312</td><td>0.2500</td>",
            "<td>choice</td><td>items</td><td>200</td><td></td><td></td>");
  }

  @Test
  void samplesKeepTheirTextAndThePageNeedsNothingElse() {
    String html =
        new RunReport("run").samples(List.of(new Sample("pretrain", "今天", "天气<很>好"))).html();
    assertThat(html)
        .contains("<b>今天</b>天气&lt;很&gt;好")
        .doesNotContain("src=", "href=", "url(", "@import");
  }

  @Test
  void lengthsFallIntoClassesThatDouble() {
    LengthHistogram lengths = new LengthHistogram();
    for (long tokens : new long[] {3, 4, 7, 8, 100, 127}) {
      lengths.add(tokens);
    }
    assertThat(lengths.bars())
        .extracting(BarChart.Bar::name, BarChart.Bar::value)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple("2–3 tokens", 1L),
            org.assertj.core.groups.Tuple.tuple("4–7 tokens", 2L),
            org.assertj.core.groups.Tuple.tuple("8–15 tokens", 1L),
            org.assertj.core.groups.Tuple.tuple("16–31 tokens", 0L),
            org.assertj.core.groups.Tuple.tuple("32–63 tokens", 0L),
            org.assertj.core.groups.Tuple.tuple("64–127 tokens", 2L));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> lengths.add(0))
        .withMessage("document length: got 0, wanted at least 1");
  }
}
