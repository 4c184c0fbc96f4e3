package caravan.model.engine;

/**
 * Token ids of {@code batch} sequences of {@code seq} tokens, row after row, and what each position
 * should predict.
 *
 * @param ids [batch × seq] token ids
 * @param targets [batch × seq] the id that follows each position, or {@link #IGNORED} where no loss
 *     is taken
 */
public record TokenBatch(int[] ids, int[] targets, int batch, int seq) {
  /** A position without loss: padding, a masked user turn, the last position of a sequence. */
  public static final int IGNORED = -1;

  public TokenBatch {
    if (batch < 1 || seq < 1 || ids.length != batch * seq || targets.length != ids.length) {
      throw new IllegalArgumentException(
          "batch of "
              + batch
              + " × "
              + seq
              + " tokens: got "
              + ids.length
              + " ids and "
              + targets.length
              + " targets");
    }
  }

  /** Number of positions that have a target; losses are means over these. */
  public int targetCount() {
    int count = 0;
    for (int target : targets) {
      if (target != IGNORED) {
        count++;
      }
    }
    return count;
  }
}
