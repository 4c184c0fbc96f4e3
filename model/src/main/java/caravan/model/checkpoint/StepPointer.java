package caravan.model.checkpoint;

import java.nio.charset.StandardCharsets;
import java.util.OptionalLong;

/** A small file that names one of the checkpoints beside it, for people and other programs. */
record StepPointer(Directory checkpoints, String file) {

  /** Makes it name a step; readers see the old name or the new one. */
  void set(long step) {
    checkpoints.replace(file, (CheckpointStore.name(step) + "\n").getBytes(StandardCharsets.UTF_8));
  }

  /**
   * The step that it names; empty where there is no such file.
   *
   * @throws IllegalArgumentException when it holds something else
   */
  OptionalLong step() {
    if (!checkpoints.exists(file)) {
      return OptionalLong.empty();
    }
    String name = new String(checkpoints.bytes(file), StandardCharsets.UTF_8).strip();
    OptionalLong step = CheckpointStore.step(name);
    if (step.isEmpty()) {
      throw new IllegalArgumentException(
          checkpoints.path(file)
              + ": got \""
              + name
              + "\", wanted the name of a checkpoint such as step-00000400; correct or delete it");
    }
    return step;
  }

  void delete() {
    checkpoints.delete(file);
  }
}
