package caravan.model.train;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;

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
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Metrics(
    @JsonProperty("step") int step,
    @JsonProperty("round") int round,
    @JsonProperty("time") double time,
    @JsonProperty("loss") Double loss,
    @JsonProperty("learning_rate") Double learningRate,
    @JsonProperty("gradient_norm") Double gradientNorm,
    @JsonProperty("tokens_per_second") Double tokensPerSecond,
    @JsonProperty("validation_loss") Double validationLoss) {

  Metrics withValidationLoss(double value) {
    return new Metrics(step, round, time, loss, learningRate, gradientNorm, tokensPerSecond, value);
  }
}
