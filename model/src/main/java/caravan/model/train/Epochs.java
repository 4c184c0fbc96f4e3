package caravan.model.train;

/** A training's length where {@code train.epochs} tells it instead of {@code train.steps}. */
final class Epochs {
  private Epochs() {}

  /**
   * The same settings with steps in place of epochs: enough for every worker to see its share of
   * the data so often.
   *
   * @param sequences of the training data
   */
  static TrainConfig inSteps(TrainConfig config, long sequences) {
    if (config.epochs() == 0) {
      return config;
    }
    double share = Math.max(1, sequences / config.workers());
    double count = Math.max(1, Math.ceil(config.epochs() * share / config.workerSequences()));
    if (count > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "train.epochs: got "
              + config.epochs()
              + ", which are "
              + count
              + " steps; wanted fewer than 2^31");
    }
    return new TrainConfig(
        (int) count,
        config.workers(),
        config.batchSequences(),
        config.sequenceLength(),
        config.averagingSteps(),
        config.learningRate(),
        config.minLearningRate(),
        config.warmupSteps(),
        config.schedule(),
        config.decayFraction(),
        config.beta1(),
        config.beta2(),
        config.epsilon(),
        config.weightDecay(),
        config.clipNorm(),
        config.checkpointSteps(),
        config.keepLast(),
        config.validationSteps(),
        config.validationSequences(),
        config.engine(),
        config.threads(),
        config.precision(),
        config.recompute(),
        config.checkpointMinutes(),
        config.keepEvery(),
        config.validationBatches(),
        config.earlyStopping(),
        config.spikeDeviations(),
        config.peakTflops(),
        0,
        config.accumulationSteps(),
        config.evalOnly(),
        config.freeze(),
        config.blockSteps(),
        config.loss(),
        config.dropout(),
        config.optimizer(),
        config.decay(),
        config.exchange(),
        config.moments(),
        config.onWorkerLoss(),
        config.outer(),
        config.memoryGb(),
        config.packing(),
        config.exchangePrecision());
  }
}
