package caravan.model.engine;

import caravan.model.LlamaConfig;
import java.util.Arrays;

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

  /** The {@code count} sequences from {@code first} on. */
  public TokenBatch rows(int first, int count) {
    int from = first * seq;
    int to = from + count * seq;
    return new TokenBatch(
        Arrays.copyOfRange(ids, from, to), Arrays.copyOfRange(targets, from, to), count, seq);
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

  /**
   * @throws IllegalArgumentException when an id or target is outside the model's vocabulary or the
   *     sequences are longer than its context
   */
  public void requireFits(LlamaConfig config) {
    if (seq > config.contextLength()) {
      throw new IllegalArgumentException(
          "batch: got sequences of "
              + seq
              + " tokens, wanted at most "
              + config.contextLength()
              + " (model.max-position-embeddings); lower train.sequence-length");
    }
    for (int i = 0; i < ids.length; i++) {
      requireInVocabulary(config, ids[i], "token", i);
      if (targets[i] != IGNORED) {
        requireInVocabulary(config, targets[i], "target", i);
      }
    }
  }

  /** Checks one id; {@code position} counts from 0 over the whole batch. */
  static void requireInVocabulary(LlamaConfig config, int id, String what, int position) {
    if (id < 0 || id >= config.vocabSize()) {
      throw new IllegalArgumentException(
          what
              + " at position "
              + position
              + ": got id "
              + id
              + ", wanted 0 to "
              + (config.vocabSize() - 1)
              + " (model.vocab-size); use the tokenizer this model was made for");
    }
  }
}
