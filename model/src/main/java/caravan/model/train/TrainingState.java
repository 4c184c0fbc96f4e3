package caravan.model.train;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * How far a training has come: what a checkpoint's state.json holds beside the training's {@link
 * TrainingIdentity}.
 *
 * @param step optimizer steps done
 * @param round averaging rounds done
 * @param tokens target tokens trained on
 * @param position in the order of sequences, counted over all epochs, where the next step begins
 * @param validationLoss last measured, in nats per target token; NaN when none was
 * @param validatedStep after which step it was; 0 when it was before the first or never
 * @param bestLoss least validation loss of a checkpoint; infinite when there is none
 * @param bestStep that checkpoint's; 0 when there is none
 */
record TrainingState(
    int step,
    int round,
    long tokens,
    long position,
    double validationLoss,
    int validatedStep,
    double bestLoss,
    int bestStep) {
  /** Name of the order in which {@link SequenceOrder} gives out sequences. */
  private static final String ORDER = "slices";

  static final TrainingState START =
      new TrainingState(0, 0, 0, 0, Double.NaN, 0, Double.POSITIVE_INFINITY, 0);

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
        validatedStep,
        bestLoss,
        bestStep);
  }

  TrainingState validated(double loss) {
    return new TrainingState(step, round, tokens, position, loss, step, bestLoss, bestStep);
  }

  /** Whether a checkpoint of this state is better than all before. */
  boolean isBest() {
    return validatedStep == step && validationLoss < bestLoss;
  }

  /** With the last validation loss as the best one. */
  TrainingState asBest() {
    return new TrainingState(
        step, round, tokens, position, validationLoss, validatedStep, validationLoss, step);
  }

  /** The best checkpoint's step. */
  OptionalLong best() {
    return bestStep == 0 ? OptionalLong.empty() : OptionalLong.of(bestStep);
  }

  /** With no best checkpoint, as another output has none of them. */
  TrainingState withoutBest() {
    return new TrainingState(
        step,
        round,
        tokens,
        position,
        validationLoss,
        validatedStep,
        START.bestLoss,
        START.bestStep);
  }

  /** At the start of the data. */
  TrainingState withDataRestarted() {
    return new TrainingState(
        step, round, tokens, 0, validationLoss, validatedStep, bestLoss, bestStep);
  }

  /** Whether a checkpoint was trained in today's order of sequences, as its state.json says. */
  static boolean tellsOrder(Map<String, Object> fields) {
    return ORDER.equals(fields.get("order"));
  }

  /** Whether a checkpoint's state.json says which checkpoint is the best. */
  static boolean tellsBest(Map<String, Object> fields) {
    return fields.containsKey("best_step");
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
    fields.put("order", ORDER);
    fields.put("validation_loss", Double.isNaN(validationLoss) ? null : validationLoss);
    fields.put("validated_step", validatedStep);
    fields.put("best_validation_loss", Double.isInfinite(bestLoss) ? null : bestLoss);
    fields.put("best_step", bestStep);
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
        (int) number(fields.get("validated_step"), 0),
        number(fields.get("best_validation_loss"), Double.POSITIVE_INFINITY),
        (int) number(fields.get("best_step"), 0));
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
