package caravan.jobs.report;

import caravan.model.train.Metrics;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;

/** A training's metrics as charts, alone and beside those of other trainings. */
final class TrainingCurves {
  /** Points of a training's loss beside others', each the median of the steps around it. */
  private static final int MEDIANS = 200;

  private final Page page;

  TrainingCurves(Page page) {
    this.page = page;
  }

  /** Loss by step. */
  void loss(List<Metrics> metrics, Optional<BigramBaseline> bigram) {
    LineChart chart = new LineChart("step", "loss, nats per token");
    curve(chart, "training", metrics, Metrics::loss);
    curve(chart, "validation", metrics, Metrics::validationLoss);
    curve(chart, "train sample", metrics, Metrics::trainingLoss);
    bigram.ifPresent(b -> chart.level("bigram", b.loss()));
    page.figure(chart.svg(), "Training loss of each step, and held-out loss");
    long spikes = metrics.stream().filter(m -> Boolean.TRUE.equals(m.spike())).count();
    if (spikes > 0) {
      page.note(
          String.format(
              Locale.ROOT,
              "%,d steps are marked as spikes; the largest loss of them is %.3f.",
              spikes,
              metrics.stream()
                  .filter(m -> Boolean.TRUE.equals(m.spike()))
                  .mapToDouble(Metrics::loss)
                  .max()
                  .orElseThrow()));
    }
  }

  /** How the training went beside its loss. */
  void course(List<Metrics> metrics) {
    LineChart rate = LineChart.small("step", "learning rate");
    curve(rate, "", metrics, Metrics::learningRate);
    LineChart norm = LineChart.small("step", "gradient norm");
    curve(norm, "", metrics, Metrics::gradientNorm);
    LineChart speed = LineChart.small("step", "tokens per second");
    curve(speed, "", metrics, Metrics::tokensPerSecond);
    LineChart mfu = LineChart.small("step", "share of peak FLOPs");
    curve(mfu, "MFU", metrics, timing(Metrics.Timing::mfu));
    LineChart time = LineChart.small("step", "seconds per round");
    curve(time, "compute", metrics, timing(Metrics.Timing::computeSeconds));
    curve(time, "wait", metrics, timing(Metrics.Timing::waitSeconds));
    curve(time, "exchange", metrics, timing(Metrics.Timing::exchangeSeconds));
    LineChart workers = LineChart.small("step", "loss per worker");
    int count =
        metrics.stream()
            .filter(m -> m.timing() != null)
            .mapToInt(m -> m.timing().workerLosses().length)
            .max()
            .orElse(0);
    for (int i = 0; i < count && count > 1; i++) {
      int worker = i;
      curve(
          workers,
          "worker " + worker,
          metrics,
          timing(t -> worker < t.workerLosses().length ? t.workerLosses()[worker] : null));
    }
    LineChart mixture = LineChart.small("step", "share of sequences");
    metrics.stream()
        .filter(m -> m.mixture() != null)
        .flatMap(m -> m.mixture().keySet().stream())
        .distinct()
        .forEach(
            source ->
                curve(
                    mixture,
                    source,
                    metrics,
                    m -> m.mixture() == null ? null : m.mixture().get(source)));
    pair(
        Map.entry(rate, "Learning rate"),
        Map.entry(norm, "Largest global gradient norm of the workers, before clipping"),
        Map.entry(speed, "Target tokens over a round's wall time"),
        Map.entry(mfu, "Model FLOPs over the workers' peak"),
        Map.entry(time, "Where a round's time went, mean over the workers"),
        Map.entry(workers, "Mean loss of each worker's part of a round"),
        Map.entry(mixture, "Which share of a round's sequences was read from where"));
  }

  /** Losses of several trainings in common charts. */
  void beside(Map<String, List<Metrics>> runs) {
    LineChart validation = LineChart.small("step", "held-out loss, nats per token");
    LineChart training = LineChart.small("step", "training loss, nats per token");
    runs.forEach(
        (name, metrics) -> {
          curve(validation, name, metrics, Metrics::validationLoss);
          medians(training, name, metrics);
        });
    pair(
        Map.entry(validation, "Held-out loss of each run"),
        Map.entry(training, "Training loss of each run, medians of neighbouring steps"));
  }

  @SafeVarargs
  private void pair(Map.Entry<LineChart, String>... charts) {
    StringBuilder html = new StringBuilder("<div class=\"pair\">");
    for (Map.Entry<LineChart, String> chart : charts) {
      if (!chart.getKey().isEmpty()) {
        html.append("<figure>")
            .append(chart.getKey().svg())
            .append("<figcaption>")
            .append(Page.escaped(chart.getValue()))
            .append("</figcaption></figure>");
      }
    }
    page.add(html.append("</div>").toString());
  }

  private static Function<Metrics, Double> timing(Function<Metrics.Timing, Double> value) {
    return metrics -> metrics.timing() == null ? null : value.apply(metrics.timing());
  }

  private static void curve(
      LineChart chart, String name, List<Metrics> metrics, Function<Metrics, Double> value) {
    List<Metrics> measured =
        metrics.stream()
            .filter(m -> Optional.ofNullable(value.apply(m)).filter(Double::isFinite).isPresent())
            .toList();
    chart.curve(
        name,
        measured.stream().mapToDouble(Metrics::step).toArray(),
        measured.stream().mapToDouble(value::apply).toArray());
  }

  private static void medians(LineChart chart, String name, List<Metrics> metrics) {
    List<Metrics> measured = metrics.stream().filter(m -> Objects.nonNull(m.loss())).toList();
    int each = Math.max(1, measured.size() / MEDIANS);
    int points = measured.size() / each;
    double[] x = new double[points];
    double[] y = new double[points];
    for (int i = 0; i < points; i++) {
      List<Metrics> some = measured.subList(i * each, (i + 1) * each);
      double[] losses = some.stream().mapToDouble(Metrics::loss).sorted().toArray();
      x[i] = some.get(each / 2).step();
      y[i] = losses[each / 2];
    }
    chart.curve(name, Arrays.copyOf(x, points), y);
  }
}
