package caravan.model;

import caravan.model.ParameterLayout.Tensor;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.indexing.INDArrayIndex;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.learning.regularization.Regularization;
import org.nd4j.linalg.learning.regularization.WeightDecay;

/** Decoupled weight decay of those parts of one tensor that a step moves. */
final class MovedDecay implements Regularization {
  private static final long serialVersionUID = 1;

  private final transient Tensor tensor;
  private final transient WholeVectorUpdater updater;
  private final WeightDecay decay;

  MovedDecay(Tensor tensor, WholeVectorUpdater updater, double rate) {
    this.tensor = tensor;
    this.updater = updater;
    this.decay = new WeightDecay(rate, true);
  }

  @Override
  public ApplyStep applyStep() {
    return ApplyStep.POST_UPDATER;
  }

  @Override
  public void apply(
      INDArray weights, INDArray update, double learningRate, int iteration, int epoch) {
    long start = tensor.offset();
    ParameterRanges moved = updater.moved(iteration).within(start, start + tensor.length());
    if (moved.length() == tensor.length()) {
      decay.apply(weights, update, learningRate, iteration, epoch);
      return;
    }
    for (int range = 0; range < moved.count(); range++) {
      INDArrayIndex part =
          NDArrayIndex.interval(moved.from(range) - start, moved.to(range) - start);
      decay.apply(
          weights.reshape(tensor.length()).get(part),
          update.reshape(tensor.length()).get(part),
          learningRate,
          iteration,
          epoch);
    }
  }

  /** Decoupled decay is no part of the loss. */
  @Override
  public double score(INDArray weights, int iteration, int epoch) {
    return 0;
  }

  @Override
  public Regularization clone() {
    return this;
  }
}
