package caravan.jobs;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * Turns SIGTERM and SIGINT into a request that long work asks for between two pieces, so that it
 * can save first. A second signal ends the program at once. By signal handlers, because Java's
 * shutdown hooks run beside Spark's own, which takes the session away.
 */
final class StopRequest implements BooleanSupplier, AutoCloseable {
  private final AtomicBoolean requested = new AtomicBoolean();
  private final Signal[] signals = {new Signal("TERM"), new Signal("INT")};
  private final SignalHandler[] before = new SignalHandler[signals.length];

  StopRequest() {
    for (int i = 0; i < signals.length; i++) {
      before[i] = Signal.handle(signals[i], this::received);
    }
  }

  private void received(Signal signal) {
    if (requested.getAndSet(true)) {
      Runtime.getRuntime().halt(128 + signal.getNumber());
    }
    System.err.printf(
        "caravan: SIG%s: stopping after a checkpoint; once more stops at once%n", signal.getName());
  }

  @Override
  public boolean getAsBoolean() {
    return requested.get();
  }

  @Override
  public void close() {
    for (int i = 0; i < signals.length; i++) {
      Signal.handle(signals[i], before[i]);
    }
  }
}
