package caravan.model.train;

import caravan.model.checkpoint.CheckpointStore;
import java.util.Locale;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;

/**
 * Where a training begins.
 *
 * @param goesOn from a checkpoint, where there is one; else those in the output are deleted
 * @param path the checkpoint, or another training's output, whose newest checkpoint it is; empty
 *     for the newest in this training's own output
 * @param data what a training that goes on reads
 */
public record Resume(boolean goesOn, Optional<String> path, Data data) {
  public static final Resume AUTO = new Resume(true, Optional.empty(), Data.CONTINUE);
  public static final Resume NEVER = new Resume(false, Optional.empty(), Data.CONTINUE);

  /** What a training that goes on reads. */
  public enum Data {
    /** The same data, from the checkpoint's position on. */
    CONTINUE,
    /** Data of this run, which may be other than before, from the start. */
    RESTART
  }

  /**
   * @param setting {@code auto}, {@code never} or a path
   */
  public static Resume of(String setting, Data data) {
    return switch (setting.toLowerCase(Locale.ROOT)) {
      case "auto" -> new Resume(true, Optional.empty(), data);
      case "never" -> NEVER;
      default -> new Resume(true, Optional.of(setting), data);
    };
  }

  /**
   * What a training goes on from, where there is anything.
   *
   * @param output the training's own
   * @throws IllegalArgumentException when {@code path} holds no checkpoint
   */
  Optional<CheckpointStore.Found> checkpoint(String output, Configuration hadoop) {
    if (!goesOn) {
      return Optional.empty();
    }
    return path.isPresent()
        ? Optional.of(CheckpointStore.find(path.get(), hadoop))
        : new CheckpointStore(output, hadoop).latest();
  }
}
