package caravan.model.engine;

import caravan.model.LlamaConfig;
import java.util.Arrays;

/**
 * Token ids of {@code batch} sequences of {@code seq} tokens, row after row, and what each position
 * should predict.
 *
 * <p>A row may hold several documents that see nothing of each other (packing with isolated
 * documents: the mask of causal attention becomes block-diagonal). Rotary positions count on
 * through the row: attention depends on their differences alone, so that counting from each
 * document's start gives the same scores up to rounding.
 *
 * @param ids [batch × seq] token ids
 * @param targets [batch × seq] the id that follows each position, or {@link #IGNORED} where no loss
 *     is taken
 * @param starts [batch × seq] the first position of its row that each position sees, which is where
 *     its document begins; empty where every row is one document
 */
public record TokenBatch(int[] ids, int[] targets, int batch, int seq, int[] starts) {
  /** A position without loss: padding, a masked user turn, the last position of a sequence. */
  public static final int IGNORED = -1;

  private static final int[] NONE = {};

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
    if (starts.length > 0) {
      requireStarts(starts, ids.length, seq);
    }
  }

  /** Rows that are one document each. */
  public TokenBatch(int[] ids, int[] targets, int batch, int seq) {
    this(ids, targets, batch, seq, NONE);
  }

  /**
   * @param targets of which some may be marked as the first of a document, see {@link #marked}
   */
  public static TokenBatch ofMarked(int[] ids, int[] targets, int batch, int seq) {
    int[] plain = new int[targets.length];
    int[] starts = new int[targets.length];
    boolean packed = false;
    for (int i = 0; i < targets.length; i++) {
      boolean first = targets[i] < IGNORED;
      plain[i] = unmarked(targets[i]);
      starts[i] = i % seq == 0 ? 0 : first ? i % seq : starts[i - 1];
      packed |= starts[i] > 0;
    }
    return new TokenBatch(ids, plain, batch, seq, packed ? starts : NONE);
  }

  /**
   * A target together with the mark that a document begins at its position: a number below {@link
   * #IGNORED}, so that it travels wherever targets do. Marking twice gives the target back.
   */
  public static int marked(int target) {
    return 2 * IGNORED - 1 - target;
  }

  /** A target without its mark, if it has one. */
  public static int unmarked(int target) {
    return target < IGNORED ? marked(target) : target;
  }

  /** Targets with the marks that {@link #ofMarked} reads. */
  public int[] markedTargets() {
    int[] all = targets.clone();
    for (int i = 0; i < starts.length; i++) {
      if (starts[i] > 0 && starts[i] == i % seq) {
        all[i] = marked(all[i]);
      }
    }
    return all;
  }

  /** Whether some row holds several documents. */
  public boolean isPacked() {
    return starts.length > 0;
  }

  /**
   * One past the last position of a document.
   *
   * @param first where in the row it begins
   */
  public int documentEnd(int row, int first) {
    if (starts.length == 0) {
      return seq;
    }
    int end = first + 1;
    while (end < seq && starts[row * seq + end] == first) {
      end++;
    }
    return end;
  }

  private static void requireStarts(int[] starts, int tokens, int seq) {
    if (starts.length != tokens) {
      throw new IllegalArgumentException(
          "batch: got " + starts.length + " starts of documents for " + tokens + " tokens");
    }
    for (int i = 0; i < tokens; i++) {
      int position = i % seq;
      if (starts[i] != position && (position == 0 || starts[i] != starts[i - 1])) {
        throw new IllegalArgumentException(
            "batch: position "
                + position
                + " of row "
                + i / seq
                + " belongs to a document that starts at "
                + starts[i]
                + ", wanted this position or the start of the position before");
      }
    }
  }

  /** The {@code count} sequences from {@code first} on. */
  public TokenBatch rows(int first, int count) {
    int from = first * seq;
    int to = from + count * seq;
    return new TokenBatch(
        Arrays.copyOfRange(ids, from, to),
        Arrays.copyOfRange(targets, from, to),
        count,
        seq,
        starts.length == 0 ? NONE : Arrays.copyOfRange(starts, from, to));
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
