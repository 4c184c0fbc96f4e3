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
  private static final String FILE = "caravan-log4j2.properties";

  /** Where the launcher names it, Log4j has taken it when it started. */
  private static final String GIVEN = "log4j2.configurationFile";

  private Logging() {}

  /** Warnings and worse on standard error; everything from INFO up when verbose. */
  static void configure(boolean verbose) {
    if (!FILE.equals(System.getProperty(GIVEN))) {
      reconfigure();
    }
    if (verbose) {
      Configurator.setRootLevel(Level.INFO);
    }
  }

  private static void reconfigure() {
    try {
      URI file = Logging.class.getResource("/" + FILE).toURI();
      Configurator.reconfigure(file);
    } catch (URISyntaxException e) {
      throw new IllegalStateException(FILE + " cannot be read from the jar", e);
    }
  }
}
