package caravan.model.train;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;

/**
 * Lines of a training of any length from which its curves can be drawn: some thousands of each kind
 * at equal distances, and the newest one. Spikes, which are rare by what they are, all stay.
 */
final class MetricsSample {
  /** More than a picture has columns. */
  private static final int MOST = 4096;

  private final Thinned steps = new Thinned();
  private final Thinned rounds = new Thinned();
  private final Thinned validations = new Thinned();
  private final List<Metrics> spikes = new ArrayList<>();
  private Metrics newest;

  void add(Metrics line) {
    newest = line;
    steps.add(line);
    if (line.timing() != null) {
      rounds.add(line);
    }
    if (line.validationLoss() != null || line.trainingLoss() != null) {
      validations.add(line);
    }
    if (line.spike() != null) {
      spikes.add(line);
    }
  }

  /** In the order of their steps. */
  List<Metrics> lines() {
    TreeSet<Metrics> lines = new TreeSet<>(Comparator.comparingInt(Metrics::step));
    lines.addAll(steps.kept);
    lines.addAll(rounds.kept);
    lines.addAll(validations.kept);
    lines.addAll(spikes);
    if (newest != null) {
      lines.add(newest);
    }
    return List.copyOf(lines);
  }

  /** Each so many-th of what was added. */
  private static final class Thinned {
    private List<Metrics> kept = new ArrayList<>();
    private long added;
    private long stride = 1;

    void add(Metrics line) {
      if (added++ % stride == 0) {
        kept.add(line);
      }
      if (kept.size() > MOST) {
        List<Metrics> half = new ArrayList<>();
        for (int i = 0; i < kept.size(); i += 2) {
          half.add(kept.get(i));
        }
        kept = half;
        stride *= 2;
      }
    }
  }
}
