package caravan.jobs;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Tells how far long work has come: a line that rewrites itself on a terminal, else one plain line
 * every 30 s. The text is asked for when it is due, so that counting costs the work nothing. Of
 * several at a time the newest shows.
 */
public final class Progress implements AutoCloseable {
  private static final Duration PLAIN_INTERVAL = Duration.ofSeconds(30);
  private static final Duration TERMINAL_INTERVAL = Duration.ofMillis(500);

  private static volatile Progress top;

  private final Progress below;
  private final PrintStream out;
  private final boolean terminal;
  private final Supplier<Optional<String>> text;
  private final ScheduledExecutorService clock;
  private int shown;

  /**
   * @param text what to show now; empty to show nothing
   */
  public Progress(Supplier<Optional<String>> text) {
    this(System.err, onTerminal(), text, onTerminal() ? TERMINAL_INTERVAL : PLAIN_INTERVAL);
  }

  Progress(PrintStream out, boolean terminal, Supplier<Optional<String>> text, Duration interval) {
    this.out = out;
    this.terminal = terminal;
    this.text = text;
    below = top;
    top = this;
    clock =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread thread = new Thread(task, "progress");
              thread.setDaemon(true);
              return thread;
            });
    clock.scheduleAtFixedRate(
        this::show, interval.toMillis(), interval.toMillis(), TimeUnit.MILLISECONDS);
  }

  private synchronized void show() {
    if (this != top) {
      return;
    }
    Optional<String> line = text.get();
    if (terminal) {
      erase();
      line.ifPresent(out::print);
      shown = line.map(String::length).orElse(0);
      out.flush();
    } else {
      line.ifPresent(out::println);
    }
  }

  private void erase() {
    if (shown > 0) {
      out.print("\r" + " ".repeat(shown) + "\r");
      shown = 0;
    }
  }

  @Override
  public synchronized void close() {
    clock.shutdownNow();
    erase();
    if (this == top) {
      top = below;
    }
  }

  /** {@code 1:02:03}, or {@code 02:03} below an hour. */
  static String clock(Duration time) {
    return time.toHours() > 0
        ? "%d:%02d:%02d".formatted(time.toHours(), time.toMinutesPart(), time.toSecondsPart())
        : "%02d:%02d".formatted(time.toMinutesPart(), time.toSecondsPart());
  }

  /** The launcher knows whether standard error is a terminal; Java only knows about both ends. */
  private static boolean onTerminal() {
    String told = System.getenv("CARAVAN_TERMINAL");
    return told == null ? System.console() != null : told.equals("1");
  }
}
