package caravan.model.checkpoint;

import caravan.model.checkpoint.CheckpointFolder.Part;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;

/** Opens whatever a user may point at as a checkpoint. */
public final class Checkpoints {
  private Checkpoints() {}

  /**
   * Opens a model without optimizer state: a Hugging Face directory, one checkpoint of a training
   * run, or a run's output directory, of which it takes the best checkpoint, or the newest where
   * none is marked best. Checksums are compared where there is a manifest.
   *
   * @throws IllegalArgumentException when there is no model, or it is damaged or not a Llama
   */
  public static Checkpoint open(String path, Configuration hadoop) {
    Directory directory = Directory.of(path, hadoop);
    Optional<CheckpointStore> store = CheckpointStore.at(directory);
    if (store.isEmpty()) {
      return single(directory, Part.MODEL);
    }
    var best = store.get().best();
    return best.isPresent()
        ? store.get().load(best.getAsLong(), Part.MODEL)
        : store.get().newest(Part.MODEL).orElseThrow(() -> unfinished(path)).checkpoint();
  }

  /**
   * Opens a checkpoint to go on training from: one checkpoint of a run, or a run's output
   * directory, of which it takes the newest.
   *
   * @throws IllegalArgumentException when it holds no optimizer state
   */
  public static Checkpoint resume(String path, Configuration hadoop) {
    Directory directory = Directory.of(path, hadoop);
    Optional<CheckpointStore> store = CheckpointStore.at(directory);
    Checkpoint checkpoint =
        store.isPresent()
            ? store.get().latest().orElseThrow(() -> unfinished(path)).checkpoint()
            : single(directory, Part.TRAINING);
    if (checkpoint.moments().isEmpty()) {
      checkpoint.close();
      throw new IllegalArgumentException(
          path
              + ": holds a model but no optimizer state to resume from; give it as checkpoint="
              + " instead, to train on from it with fresh moments");
    }
    return checkpoint;
  }

  /** Writes a model as a Hugging Face directory, without training state. */
  public static void export(String path, Configuration hadoop, Checkpoint checkpoint) {
    new CheckpointFolder(Directory.of(path, hadoop)).writeModel(checkpoint);
  }

  private static Checkpoint single(Directory directory, Part part) {
    CheckpointFolder folder = new CheckpointFolder(directory);
    if (folder.isOurs()) {
      folder
          .damage(part)
          .ifPresent(
              damage -> {
                throw new IllegalArgumentException(damage + "; choose another checkpoint");
              });
    } else if (!folder.isModel()) {
      throw new IllegalArgumentException(
          directory.path()
              + (directory.exists() ? ": no config.json in it" : " does not exist")
              + ", wanted a Hugging Face model directory, a checkpoint, or the output of pretrain"
              + " or sft");
    }
    return folder.read(part);
  }

  private static IllegalArgumentException unfinished(String path) {
    return new IllegalArgumentException(
        path + ": training has not finished its first checkpoint; run it again");
  }
}
