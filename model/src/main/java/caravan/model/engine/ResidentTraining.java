package caravan.model.engine;

import caravan.model.ParameterRanges;
import caravan.model.WeightDecayRates;
import java.io.Serializable;
import java.util.List;

/**
 * Training steps of an engine that keeps parameters, gradients and the optimizer's state in memory
 * of its own: the host's are read when it is opened and written by {@link #store}, between which
 * they are stale. Each step is what the layer's gradient, the clipping by global norm, the
 * optimizer and its decoupled weight decay do on the host.
 */
public interface ResidentTraining extends AutoCloseable {

  /** What an update makes of a gradient; the host's optimizers say how. */
  enum Rule {
    ADAMW,
    LION,
    /** With momentum beta1. */
    SGD
  }

  /**
   * @param beta1 decay of the first moment, or the only one
   * @param beta2 decay of the second moment
   * @param epsilon added to the root of the second moment
   * @param clipNorm gradients of a larger global norm are scaled down to it; 0 for no clipping
   */
  record Optimizer(Rule rule, double beta1, double beta2, double epsilon, double clipNorm) {
    public static Optimizer adamW(double beta1, double beta2, double epsilon, double clipNorm) {
      return new Optimizer(Rule.ADAMW, beta1, beta2, epsilon, clipNorm);
    }

    public static Optimizer lion(double beta1, double beta2, double clipNorm) {
      return new Optimizer(Rule.LION, beta1, beta2, 0, clipNorm);
    }

    public static Optimizer sgd(double momentum, double clipNorm) {
      return new Optimizer(Rule.SGD, momentum, 0, 0, clipNorm);
    }

    /** Vectors of state, each as long as what is moved. */
    public int stateVectors() {
      return switch (rule) {
        case ADAMW -> 2;
        case LION -> 1;
        case SGD -> beta1 > 0 ? 1 : 0;
      };
    }
  }

  /**
   * How steps are taken.
   *
   * @param decay decoupled weight decay, times the learning rate
   * @param moved the parameters that are trained; the others stay as they are
   * @param objective what is optimized
   * @param passSequences sequences of a batch that go through at a time, their gradients added up;
   *     0 for all
   */
  record Recipe(
      Optimizer optimizer,
      WeightDecayRates decay,
      ParameterRanges moved,
      Objective objective,
      int passSequences) {

    /** All parameters, plain cross entropy, a batch at a time. */
    public static Recipe plain(Optimizer optimizer, double weightDecay) {
      WeightDecayRates decay = WeightDecayRates.ofMatrices(weightDecay);
      return new Recipe(optimizer, decay, ParameterRanges.ALL, Objective.PLAIN, 0);
    }
  }

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
   * @param step steps done before this one: dropout zeroes other values in each
   * @param stateSteps those of them that shaped the optimizer's state, for its bias correction
   * @throws IllegalArgumentException when an id is outside the vocabulary or the sequence longer
   *     than the context
   */
  void step(TokenBatch batch, double learningRate, int step, int stateSteps);

  /** Every step since this was opened; waits for the last of them. */
  List<Step> steps();

  /** Writes parameters and state back to the host; waits until they are there. */
  void store();

  /** Ends the training; what was not stored is lost. The engine keeps its buffers for the next. */
  @Override
  void close();
}
