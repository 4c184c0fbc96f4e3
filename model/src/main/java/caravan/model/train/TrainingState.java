package caravan.model.train;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How far a training has come: what a checkpoint's state.json holds beside the training's {@link
 * TrainingIdentity}.
 *
 * @param step optimizer steps done
 * @param round averaging rounds done
 * @param tokens target tokens trained on
 * @param position in the order of sequences, counted over all epochs, where the next step begins
 * @param validationLoss last measured, in nats per target token; NaN when none was
 * @param bestLoss least validation loss of a checkpoint; infinite when there is none
 */
record TrainingState(
    int step, int round, long tokens, long position, double validationLoss, double bestLoss) {
  static final TrainingState START =
      new TrainingState(0, 0, 0, 0, Double.NaN, Double.POSITIVE_INFINITY);

  /**
   * After one more round.
   *
   * @param sequences that the round took
   */
  TrainingState after(AveragingMaster.Round done, long sequences) {
    return new TrainingState(
        step + done.steps(),
        round + 1,
        tokens + done.targetTokens(),
        position + sequences,
        validationLoss,
        bestLoss);
  }

  TrainingState validated(double loss) {
    return new TrainingState(step, round, tokens, position, loss, bestLoss);
  }

  /** With the last validation loss as the best one. */
  TrainingState best() {
    return new TrainingState(step, round, tokens, position, validationLoss, validationLoss);
  }

  /** Whether a multiple of {@code every} steps was passed since an earlier state. */
  boolean passed(int every, TrainingState before) {
    return before.step / every != step / every;
  }

  /** Its fields of state.json. */
  Map<String, Object> fields() {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("step", step);
    fields.put("round", round);
    fields.put("tokens", tokens);
    fields.put("position", position);
    fields.put("validation_loss", Double.isNaN(validationLoss) ? null : validationLoss);
    fields.put("best_validation_loss", Double.isInfinite(bestLoss) ? null : bestLoss);
    return fields;
  }

  /**
   * The state that a checkpoint's state.json holds.
   *
   * @param path of the checkpoint, for messages
   * @throws IllegalArgumentException when a field is missing
   */
  static TrainingState of(Map<String, Object> fields, String path) {
    return new TrainingState(
        number(fields, "step", path).intValue(),
        number(fields, "round", path).intValue(),
        number(fields, "tokens", path).longValue(),
        number(fields, "position", path).longValue(),
        number(fields.get("validation_loss"), Double.NaN),
        number(fields.get("best_validation_loss"), Double.POSITIVE_INFINITY));
  }

  private static Number number(Map<String, Object> fields, String name, String path) {
    if (fields.get(name) instanceof Number number) {
      return number;
    }
    throw new IllegalArgumentException(
        path
            + ": caravan/state.json has no number \""
            + name
            + "\"; resume from another checkpoint, or train from this one as checkpoint=");
  }

  private static double number(Object value, double otherwise) {
    return value instanceof Number number ? number.doubleValue() : otherwise;
  }
}
