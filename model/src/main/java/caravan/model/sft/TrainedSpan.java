package caravan.model.sft;

/**
 * A stretch of ids that the model shall learn to produce: an assistant's turn with its end token.
 *
 * @param start first id
 * @param end one past the last id
 */
public record TrainedSpan(int start, int end) {
  public TrainedSpan {
    if (start < 0 || end <= start) {
      throw new IllegalArgumentException(
          "trained span: got " + start + " to " + end + ", wanted a non-empty range");
    }
  }
}
