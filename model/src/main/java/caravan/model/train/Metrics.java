package caravan.model.train;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Map;

/**
 * One step's line of metrics.jsonl.
 *
 * @param step steps done, this one included; 0 is the state before training
 * @param round averaging round of the step, from 1
 * @param time seconds since 1970
 * @param loss mean training loss in nats per target token; null at step 0
 * @param learningRate learning rate of the step
 * @param gradientNorm largest global gradient norm over the workers, before clipping
 * @param tokensPerSecond target tokens of the round over its wall time
 * @param validationLoss mean loss in nats per target token on the validation sequences, after the
 *     step; null when not measured
 * @param trainingLoss the same on a fixed sample of training sequences; null when not measured
 * @param spike true where the loss lies far above those of the steps before; else null
 * @param timing of the round, at its last step; else null
 * @param crossEntropy the part of the loss that is plain cross entropy, in nats per target token;
 *     null where that is all of it
 * @param mixture which share of the round's sequences was read from which of several directories of
 *     tokens, at its last step; else null
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
public record Metrics(
    @JsonProperty("step") int step,
    @JsonProperty("round") int round,
    @JsonProperty("time") double time,
    @JsonProperty("loss") Double loss,
    @JsonProperty("learning_rate") Double learningRate,
    @JsonProperty("gradient_norm") Double gradientNorm,
    @JsonProperty("tokens_per_second") Double tokensPerSecond,
    @JsonProperty("validation_loss") Double validationLoss,
    @JsonProperty("training_loss") Double trainingLoss,
    @JsonProperty("spike") Boolean spike,
    @JsonProperty("timing") Timing timing,
    @JsonProperty("cross_entropy") Double crossEntropy,
    @JsonProperty("mixture") Map<String, Double> mixture) {

  /**
   * Where a round's time went.
   *
   * @param computeSeconds mean over the workers of what their steps took
   * @param waitSeconds from then until the slowest worker was done
   * @param exchangeSeconds the rest: what was sent, averaged and scheduled
   * @param mfu model FLOPs per second over the workers' peak; null where that is unknown
   * @param workerLosses each worker's mean loss over the round's steps
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  @JsonIgnoreProperties(ignoreUnknown = true)
  public record Timing(
      @JsonProperty("compute_seconds") double computeSeconds,
      @JsonProperty("wait_seconds") double waitSeconds,
      @JsonProperty("exchange_seconds") double exchangeSeconds,
      @JsonProperty("mfu") Double mfu,
      @JsonProperty("worker_losses") double[] workerLosses) {}

  /** The state before training. */
  static Metrics start(double time) {
    return new Metrics(0, 0, time, null, null, null, null, null, null, null, null, null, null);
  }

  /** The same with what was measured after the step. */
  Metrics validated(Double validation, Double training) {
    return new Metrics(
        step,
        round,
        time,
        loss,
        learningRate,
        gradientNorm,
        tokensPerSecond,
        validation,
        training,
        spike,
        timing,
        crossEntropy,
        mixture);
  }
}
