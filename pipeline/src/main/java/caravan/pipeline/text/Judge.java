package caravan.pipeline.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Hears what a filter measures and decides: the first value out of bounds drops the document. A
 * quick judge has heard enough then; a thorough one hears everything, for those who want to see how
 * close a document came. One judge for one document.
 */
public final class Judge {

  /** Which side of its limit a value must stay on. */
  public enum Bound {
    MINIMUM,
    MAXIMUM
  }

  /**
   * A measured value and its limit.
   *
   * @param reason the drop reason when the value is out of bounds
   * @param unit what the value counts ({@code code points}), or of what it is a share ({@code of
   *     lines})
   */
  public record Measure(String reason, double value, String unit, Bound bound, double limit) {
    public boolean passes() {
      return bound == Bound.MINIMUM ? value >= limit : value <= limit;
    }

    /** Such as {@code 12 code points, minimum 50}. */
    public String detail() {
      return number(value)
          + " "
          + unit
          + ", "
          + bound.name().toLowerCase(Locale.ROOT)
          + " "
          + number(limit);
    }

    private static String number(double value) {
      return value == Math.rint(value)
          ? String.format(Locale.ROOT, "%d", (long) value)
          : String.format(Locale.ROOT, "%.3f", value);
    }
  }

  private final boolean thorough;
  private final List<Measure> measures = new ArrayList<>(0);
  private Measure failed;

  private Judge(boolean thorough) {
    this.thorough = thorough;
  }

  public static Judge quick() {
    return new Judge(false);
  }

  public static Judge thorough() {
    return new Judge(true);
  }

  /** Wants {@code value ≥ minimum}; returns whether to go on. */
  boolean atLeast(String reason, double value, double minimum, String unit) {
    return (!thorough && value >= minimum)
        || hear(new Measure(reason, value, unit, Bound.MINIMUM, minimum));
  }

  /** Wants {@code value ≤ maximum}; returns whether to go on. */
  boolean atMost(String reason, double value, double maximum, String unit) {
    return (!thorough && value <= maximum)
        || hear(new Measure(reason, value, unit, Bound.MAXIMUM, maximum));
  }

  /** Whether a value that is at most {@code bound} need not be measured: it passes, unheard. */
  boolean passesUnheard(double bound, double maximum) {
    return !thorough && bound <= maximum;
  }

  private boolean hear(Measure measure) {
    if (thorough) {
      measures.add(measure);
    }
    if (failed == null && !measure.passes()) {
      failed = measure;
    }
    return thorough;
  }

  /** Why the document goes; empty when it stays. */
  public Optional<Drop> drop() {
    return Optional.ofNullable(failed).map(m -> new Drop(m.reason(), m.detail()));
  }

  /** Everything that a thorough judge heard, in order. */
  public List<Measure> measures() {
    return List.copyOf(measures);
  }
}
