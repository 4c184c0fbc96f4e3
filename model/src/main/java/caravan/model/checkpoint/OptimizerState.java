package caravan.model.checkpoint;

import java.util.List;
import org.bytedeco.javacpp.FloatPointer;

/**
 * What an optimizer remembers: vectors of one length. AdamW has two, the means of the gradient and
 * of its square; Lion and SGD with momentum have one; plain SGD has none.
 *
 * @param length floats of each: the parameters that have state, in their order
 */
public record OptimizerState(List<FloatPointer> vectors, long length) {
  public OptimizerState {
    vectors = List.copyOf(vectors);
    if (vectors.size() > CheckpointTensors.MOMENTS.size()) {
      throw new IllegalArgumentException(
          "optimizer state: got "
              + vectors.size()
              + " vectors, wanted at most "
              + CheckpointTensors.MOMENTS.size());
    }
  }
}
