package caravan.pipeline.tokenize;

import caravan.pipeline.Manifest;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** An output that need not be made again. */
final class FinishedOutput {
  private static final Logger log = LoggerFactory.getLogger(FinishedOutput.class);

  private FinishedOutput() {}

  /**
   * The manifest of a whole output made from the same inputs by the same configuration.
   *
   * @param stage its name, for messages
   * @param kind what the output is to be, of {@link Manifest#kind}
   * @param check throws {@link IllegalArgumentException} if a file is damaged
   */
  static Optional<Manifest> find(
      Configuration conf,
      Path directory,
      String stage,
      String kind,
      String configHash,
      List<Manifest.Input> inputs,
      Consumer<Manifest> check) {
    Optional<Manifest> same =
        Manifest.find(conf, directory)
            .filter(m -> m.kind().equals(kind))
            .filter(m -> m.configHash().equals(configHash))
            .filter(m -> m.inputs().equals(inputs));
    if (same.isEmpty()) return same;
    try {
      check.accept(same.get());
    } catch (IllegalArgumentException e) {
      log.warn("{}: {} is damaged and made again: {}", stage, directory, e.getMessage());
      return Optional.empty();
    }
    log.info("{}: {} is up to date: same input, same configuration", stage, directory);
    return same;
  }
}
