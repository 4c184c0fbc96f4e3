package caravan.model.engine;

import java.io.Serializable;
import java.util.List;

/**
 * Training steps of an engine that keeps parameters, gradients and AdamW's moments in memory of its
 * own: the host's are read when it is opened and written by {@link #store}, between which they are
 * stale. Each step is what the layer's gradient, the clipping by global norm, AdamW and its
 * decoupled weight decay do on the host.
 */
public interface ResidentTraining extends AutoCloseable {

  /**
   * @param beta1 decay of the first moment
   * @param beta2 decay of the second moment
   * @param epsilon added to the root of the second moment
   * @param clipNorm gradients of a larger global norm are scaled down to it; 0 for no clipping
   * @param weightDecay decoupled, of matrices, times the learning rate
   */
  record Optimizer(
      double beta1, double beta2, double epsilon, double clipNorm, double weightDecay) {}

  /**
   * What one step measured.
   *
   * @param loss mean over the batch's targets of what is optimized, before the update
   * @param crossEntropy the same of cross entropy alone, in nats
   * @param gradientNorm global norm before clipping; NaN where it is not measured
   * @param targetTokens targets of the batch
   */
  record Step(double loss, double crossEntropy, double gradientNorm, long targetTokens)
      implements Serializable {}

  /**
   * One update. It may still be under way when this returns.
   *
   * @param learningRate of this step
   * @param iteration steps done before this one, for the bias correction
   * @throws IllegalArgumentException when an id is outside the vocabulary or the sequence longer
   *     than the context
   */
  void step(TokenBatch batch, double learningRate, int iteration);

  /** Every step since this was opened; waits for the last of them. */
  List<Step> steps();

  /** Writes parameters and moments back to the host; waits until they are there. */
  void store();

  /** Ends the training; what was not stored is lost. The engine keeps its buffers for the next. */
  @Override
  void close();
}
