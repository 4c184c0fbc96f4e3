package caravan.model.train;

import static caravan.model.train.Ranges.atLeast;
import static caravan.model.train.Ranges.below;
import static caravan.model.train.Ranges.choice;

import caravan.model.LlamaConfig;
import caravan.model.LlamaLayer;
import caravan.model.ParameterLayout;
import caravan.model.WeightDecayRates;
import caravan.model.engine.Engines;
import caravan.model.engine.Objective;
import java.io.Serializable;
import java.util.List;
import java.util.Locale;

/**
 * How to train; the keys under {@code train} in reference.conf, which states each one's unit, range
 * and source.
 *
 * @param steps optimizer steps of the whole training; 0 where {@code epochs} counts
 * @param workers Spark tasks that train side by side
 * @param batchSequences sequences per step and worker
 * @param sequenceLength tokens per sequence
 * @param averagingSteps steps between two averages (one round)
 * @param learningRate peak learning rate
 * @param minLearningRate learning rate at the end
 * @param warmupSteps steps of linear warmup
 * @param schedule {@code constant}, {@code linear}, {@code cosine} or {@code wsd}
 * @param decayFraction share of the steps, at the end, over which {@code wsd} decays
 * @param beta1 decay of AdamW's first moment
 * @param beta2 decay of AdamW's second moment
 * @param epsilon AdamW's epsilon
 * @param weightDecay decoupled decay of matrices
 * @param clipNorm largest global gradient norm; 0 for no clipping
 * @param checkpointSteps steps between checkpoints
 * @param keepLast checkpoints to keep beside the best
 * @param validationSteps steps between validations
 * @param validationSequences sequences per validation; 0 for all
 * @param engine {@code cpu}, {@code nd4j} or {@code cuda}
 * @param threads threads of one worker's engine
 * @param precision of matrix products: {@code auto}, {@code fp32}, {@code bf16}, or with cuda
 *     {@code tf32}
 * @param recompute {@code none}, or {@code block}: keep only each block's input for the backward
 *     pass
 * @param checkpointMinutes minutes between checkpoints, beside {@code checkpointSteps}; 0 for steps
 *     alone
 * @param keepEvery steps of which one checkpoint each stays for good; 0 for none
 * @param validationBatches batches per measurement of the held-out loss and of the training loss; 0
 *     for validationSequences of the held-out loss alone
 * @param earlyStopping when training ends before its last step
 * @param spikeDeviations deviations above the median of recent losses from which on a loss is a
 *     spike; 0 looks for none
 * @param peakTflops of one worker, in 10^12 floating-point operations per second, against which MFU
 *     is measured; 0 measures the CPU's
 * @param epochs passes over the training data, in place of steps; 0 where {@code steps} counts
 * @param accumulationSteps batches whose gradients make one step
 * @param evalOnly measure the validation loss and stop
 * @param freeze patterns of Hugging Face tensor names that stay as they are
 * @param blockSteps steps for which one block is trained at a time; 0 trains all at once
 * @param loss what is optimized beside plain cross entropy
 * @param dropout which share of values is zeroed while training
 * @param optimizer the rule of a step
 * @param decay which part of the weight decay embeddings and norms get
 * @param exchange where workers' states become one: {@code stock} on the driver, {@code sliced} on
 *     the executors
 * @param moments what becomes of the optimizer's moments between rounds: {@code average}, {@code
 *     reset} or {@code local}
 * @param onWorkerLoss when an executor is lost in a round: {@code recompute} or {@code continue}
 * @param outer how the workers' mean becomes the next parameters
 * @param memoryGb memory of a worker, into which a dry run fits a model; 0 for this machine's share
 * @param packing whether attention crosses between the documents of a row: {@code cross} or {@code
 *     isolated}
 * @param exchangePrecision what parameters are exchanged as by {@code sliced}: {@code fp32}, or by
 *     how much they changed in {@code bf16} or {@code fp16}
 */
public record TrainConfig(
    int steps,
    int workers,
    int batchSequences,
    int sequenceLength,
    int averagingSteps,
    double learningRate,
    double minLearningRate,
    int warmupSteps,
    String schedule,
    double decayFraction,
    double beta1,
    double beta2,
    double epsilon,
    double weightDecay,
    double clipNorm,
    int checkpointSteps,
    int keepLast,
    int validationSteps,
    long validationSequences,
    String engine,
    int threads,
    String precision,
    String recompute,
    double checkpointMinutes,
    int keepEvery,
    int validationBatches,
    EarlyStoppingConfig earlyStopping,
    double spikeDeviations,
    double peakTflops,
    double epochs,
    int accumulationSteps,
    boolean evalOnly,
    List<String> freeze,
    int blockSteps,
    LossConfig loss,
    DropoutConfig dropout,
    OptimizerConfig optimizer,
    DecayConfig decay,
    String exchange,
    String moments,
    String onWorkerLoss,
    OuterConfig outer,
    double memoryGb,
    String packing,
    String exchangePrecision)
    implements Serializable {

  public TrainConfig {
    freeze = List.copyOf(freeze);
    atLeast("checkpoint-minutes", checkpointMinutes, 0);
    atLeast("keep-every", keepEvery, 0);
    atLeast("validation-batches", validationBatches, 0);
    atLeast("spike-deviations", spikeDeviations, 0);
    atLeast("peak-tflops", peakTflops, 0);
    atLeast("epochs", epochs, 0);
    atLeast("accumulation-steps", accumulationSteps, 1);
    atLeast("memory-gb", memoryGb, 0);
    atLeast("block-steps", blockSteps, 0);
    atLeast("steps", steps, 0);
    if (steps > 0 == epochs > 0) {
      throw new IllegalArgumentException(
          "train.steps, train.epochs: got "
              + steps
              + " and "
              + epochs
              + ", wanted exactly one of them above 0; with epochs, set train.steps=0");
    }
    atLeast("workers", workers, 1);
    atLeast("batch-sequences", batchSequences, 1);
    atLeast("sequence-length", sequenceLength, 2);
    atLeast("averaging-steps", averagingSteps, 1);
    atLeast("learning-rate", learningRate, 0);
    atLeast("min-learning-rate", minLearningRate, 0);
    atLeast("warmup-steps", warmupSteps, 0);
    below("beta1", beta1);
    below("beta2", beta2);
    atLeast("epsilon", epsilon, 0);
    atLeast("weight-decay", weightDecay, 0);
    atLeast("clip-norm", clipNorm, 0);
    atLeast("checkpoint-steps", checkpointSteps, 1);
    atLeast("keep-last", keepLast, 1);
    atLeast("validation-steps", validationSteps, 1);
    atLeast("validation-sequences", validationSequences, 0);
    atLeast("threads", threads, 1);
    choice("schedule", schedule, "constant", "linear", "cosine", "wsd");
    if (!(decayFraction > 0 && decayFraction <= 1)) {
      throw new IllegalArgumentException(
          "train.decay-fraction: got " + decayFraction + ", wanted a number in (0, 1]");
    }
    choice("packing", packing, "cross", "isolated");
    choice("exchange", exchange, "stock", "sliced");
    choice("exchange-precision", exchangePrecision, "fp32", "bf16", "fp16");
    if (exchange.equals("stock") && !exchangePrecision.equals("fp32")) {
      throw new IllegalArgumentException(
          "train.exchange: got stock with train.exchange-precision = "
              + exchangePrecision
              + ", wanted sliced: stock exchanges parameters as they are");
    }
    choice("moments", moments, "average", "reset", "local");
    choice("on-worker-loss", onWorkerLoss, "recompute", "continue");
    if (exchange.equals("stock") && !moments.equals("average")) {
      throw new IllegalArgumentException(
          "train.exchange: got stock with train.moments = "
              + moments
              + ", wanted sliced: stock averages all of the state");
    }
    choice("engine", engine, Engines.CPU, Engines.ND4J, Engines.CUDA);
    Engines.named(engine, precision, recompute);
    if (minLearningRate > learningRate) {
      throw new IllegalArgumentException(
          "train.min-learning-rate: got "
              + minLearningRate
              + ", wanted at most train.learning-rate = "
              + learningRate);
    }
  }

  /** Sequences that one step uses on one worker. */
  public int workerSequences() {
    return accumulationSteps * batchSequences;
  }

  /** Sequences that one step uses over all workers. */
  public long stepSequences() {
    return (long) workers * workerSequences();
  }

  /** Whether documents that share a row see nothing of each other. */
  public boolean isolatesDocuments() {
    return packing.equals("isolated");
  }

  /** The engine's name with everything that it needs to know. */
  public String engineName() {
    return Engines.named(engine, precision, recompute);
  }

  /** Learning rate per step. */
  Schedule rates() {
    Schedule.Kind kind = Schedule.Kind.valueOf(schedule.toUpperCase(Locale.ROOT));
    return new Schedule(
        kind,
        learningRate,
        minLearningRate,
        warmupSteps,
        steps,
        (int) Math.round(steps * decayFraction));
  }

  /**
   * The rule of a step for a model.
   *
   * @throws IllegalArgumentException when a pattern of {@code freeze} fits none of its tensors
   */
  FlatOptimizer updater(LlamaConfig model) {
    return updater(model, freeze);
  }

  FlatOptimizer updater(LlamaConfig model, List<String> frozen) {
    Turns turns = TrainedTensors.turns(new ParameterLayout(model), frozen, blockSteps);
    return switch (optimizer.kind()) {
      case "lion" -> new Lion(rates(), beta1, beta2, clipNorm, turns);
      case "sgd" -> new MomentumSgd(rates(), optimizer.momentum(), clipNorm, turns);
      default -> new AdamW(rates(), beta1, beta2, epsilon, clipNorm, turns);
    };
  }

  /**
   * @throws IllegalArgumentException when these settings are not for adapters
   */
  void requireAdapters() {
    if (!freeze.isEmpty() || blockSteps > 0) {
      throw new IllegalArgumentException(
          "train.freeze and train.block-steps: got "
              + freeze
              + " and "
              + blockSteps
              + " with lora.rank above 0, wanted none: adapters and lora.modules-to-save alone are"
              + " trained");
    }
  }

  /**
   * The layer that trains a model so.
   *
   * @param seed of what dropout zeroes
   */
  LlamaLayer layer(LlamaConfig model, long seed) {
    WeightDecayRates rates =
        new WeightDecayRates(
            weightDecay, weightDecay * decay.embeddings(), weightDecay * decay.norms());
    Objective objective =
        new Objective(
            loss.zLoss(), loss.labelSmoothing(), dropout.embedding(), dropout.residual(), seed);
    return new LlamaLayer(
        model,
        engineName(),
        threads,
        rates,
        objective,
        accumulationSteps == 1 ? 0 : batchSequences);
  }
}
