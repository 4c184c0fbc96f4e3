package caravan.model.engine;

import java.util.Arrays;
import java.util.Locale;

/**
 * Where one worker's time goes, when the JVM runs with {@code -Dcaravan.engine.phases=true}: a
 * table on standard error when the engine is closed. Waiting at barriers is a phase of its own.
 */
final class Phases {
  enum Phase {
    NORM,
    PROJECT,
    ROTATE,
    ATTEND,
    ACTIVATE,
    HEAD,
    CROSS_ENTROPY,
    INPUT_GRADIENT,
    WEIGHT_GRADIENT,
    ATTEND_GRADIENT,
    EMBED,
    UPDATE,
    WAIT,
    OUTSIDE
  }

  static final boolean WANTED = Boolean.getBoolean("caravan.engine.phases");

  private static final double NANOS_PER_SECOND = 1e9;

  private final long[] nanos = new long[Phase.values().length];
  private long since = System.nanoTime();

  /** Books the time since the last call on a phase. */
  void end(Phase phase) {
    if (WANTED) {
      long now = System.nanoTime();
      nanos[phase.ordinal()] += now - since;
      since = now;
    }
  }

  void print(int member) {
    if (!WANTED) {
      return;
    }
    double all = Arrays.stream(nanos).sum();
    StringBuilder table = new StringBuilder("worker " + member + ":");
    for (Phase phase : Phase.values()) {
      long spent = nanos[phase.ordinal()];
      table.append(
          String.format(
              Locale.ROOT,
              "%n  %-16s %8.3f s %5.1f %%",
              phase.name().toLowerCase(Locale.ROOT).replace('_', ' '),
              spent / NANOS_PER_SECOND,
              100 * spent / all));
    }
    System.err.println(table);
  }
}
