package caravan.model.train;

import caravan.model.checkpoint.CheckpointStore;
import java.util.ArrayList;
import java.util.List;

/** Refuses a round in which the loss or a gradient ceased to be a number. */
record Divergence(TrainConfig config, ReadingOrder order, CheckpointStore store) {
  /**
   * @param before the round
   * @throws NonFiniteLoss that names the sequences of the first such step
   */
  void check(TrainingState before, AveragingMaster.Round done) {
    for (int i = 0; i < done.steps(); i++) {
      check("training loss", done.losses()[i], before, done, i);
      check("gradient's norm", done.gradientNorms()[i], before, done, i);
    }
  }

  private void check(
      String what, double value, TrainingState before, AveragingMaster.Round done, int step) {
    if (Double.isFinite(value)) {
      return;
    }
    List<Long> good = store.steps();
    throw new NonFiniteLoss(
        what
            + " is "
            + value
            + " at step "
            + (before.step() + step + 1)
            + "; last good checkpoint: "
            + (good.isEmpty() ? "none yet" : store.path(good.get(good.size() - 1)))
            + "; lower train.learning-rate or train.clip-norm and run again",
        sequences(before, done, step));
  }

  /** What the workers read whose loss it was, or all workers where all losses are numbers. */
  private List<Long> sequences(TrainingState before, AveragingMaster.Round done, int step) {
    int batch = config.workerSequences();
    long first = before.position() / config.workers() + (long) step * batch;
    boolean finite = Double.isFinite(done.losses()[step]);
    List<Long> sequences = new ArrayList<>();
    for (int worker = 0; worker < done.workers().size(); worker++) {
      double[] losses = done.workers().get(worker).losses();
      if (step < losses.length && (finite || !Double.isFinite(losses[step]))) {
        for (int row = 0; row < batch; row++) {
          sequences.add(order.indexAt(worker, first + row));
        }
      }
    }
    return sequences;
  }
}
