package caravan.model;

import org.nd4j.linalg.learning.config.IUpdater;

/**
 * An updater over the whole parameter vector, which may leave parts of it alone and hold state for
 * the other parts only. Deeplearning4j asks each tensor's updater for the size of its state; here
 * the first tensor's answers for all of them.
 */
public interface WholeVectorUpdater extends IUpdater {

  /**
   * This updater as Deeplearning4j is to see it at one tensor.
   *
   * @param first whether the tensor is the vector's first
   * @param parameters length of the whole vector
   */
  IUpdater atTensor(boolean first, long parameters);

  /** Which part of the vector a step moves. */
  ParameterRanges moved(int iteration);
}
