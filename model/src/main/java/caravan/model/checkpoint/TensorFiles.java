package caravan.model.checkpoint;

import java.util.Map;

/**
 * Writes the files of a checkpoint that grow with the model, from wherever its tensors lie: {@link
 * CheckpointTensors} writes one file, here or in a task of a cluster.
 */
public interface TensorFiles {
  /**
   * Writes all of them.
   *
   * @param directory the checkpoint's
   * @return what was written, by the file's name in the checkpoint
   */
  Map<String, Directory.Fingerprint> write(String directory);
}
