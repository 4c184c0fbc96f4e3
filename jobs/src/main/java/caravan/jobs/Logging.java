package caravan.jobs;

import java.net.URI;
import java.net.URISyntaxException;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.core.config.Configurator;

/**
 * Log4j's set-up from {@code caravan-log4j2.properties}. By code, because spark-submit starts Log4j
 * before our jar is on the class path.
 */
final class Logging {
  private Logging() {}

  /** Warnings and worse on standard error; everything from INFO up when verbose. */
  static void configure(boolean verbose) {
    try {
      URI file = Logging.class.getResource("/caravan-log4j2.properties").toURI();
      Configurator.reconfigure(file);
    } catch (URISyntaxException e) {
      throw new IllegalStateException("caravan-log4j2.properties cannot be read from the jar", e);
    }
    if (verbose) {
      Configurator.setRootLevel(Level.INFO);
    }
  }
}
