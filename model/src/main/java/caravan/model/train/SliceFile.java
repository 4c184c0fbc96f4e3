package caravan.model.train;

import caravan.model.checkpoint.CheckpointTensors;
import caravan.model.checkpoint.Directory;
import caravan.model.checkpoint.TrainedShape;
import java.io.Serializable;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.util.SerializableConfiguration;

/**
 * A file of a checkpoint that one task writes, slice by slice, from wherever the slices lie.
 *
 * @param directory the checkpoint's, on a file system that every executor and the driver share
 * @param vectors of the optimizer's state
 */
record SliceFile(
    Kind kind,
    String directory,
    SerializableConfiguration hadoop,
    TrainedShape model,
    int vectors,
    StateBlocks.Reader state)
    implements Serializable {

  enum Kind {
    MODEL,
    OPTIMIZER,
    OUTER
  }

  /** The file's name in the checkpoint. */
  String name() {
    return switch (kind) {
      case MODEL -> model.file();
      case OPTIMIZER -> CheckpointTensors.OPTIMIZER;
      case OUTER -> CheckpointTensors.OUTER;
    };
  }

  Directory.Fingerprint write() {
    Slicing slicing = state.slicing();
    Configuration files = hadoop.value();
    return switch (kind) {
      case MODEL ->
          CheckpointTensors.writeModel(
              directory, files, model, new SliceFloats(slicing, 0, state::slice));
      case OPTIMIZER ->
          CheckpointTensors.writeMoments(
              directory,
              files,
              new SliceFloats(slicing, slicing.parameterSlices(), state::slice),
              vectors,
              slicing.updaterState() / vectors);
      case OUTER ->
          CheckpointTensors.writeOuter(
              directory, files, new SliceFloats(slicing, 0, state::velocity), slicing.parameters());
    };
  }
}
