package caravan.model.engine;

import caravan.model.AdapterLayout.Adapter;

/**
 * The counters of dropout: a key for each row of values that may be zeroed, made of the seed, the
 * step, the sequence's tokens, the place in the model and the position in the sequence. Engines mix
 * a key with the column ({@link DropoutMask}; the kernels of src/main/cuda do the same), so that
 * all zero the same values.
 *
 * <pre>
 * sequence = key(… key(key(seed, step), id₀) …, id_last)     row = key(key(sequence, place), position)
 * </pre>
 */
public final class DropoutKeys {
  /** The place of the token embeddings. */
  public static final int EMBEDDING = 0;

  /** Above the places of all halves. */
  private static final int ADAPTERS = 1 << 24;

  private static final int BITS = 24;

  private DropoutKeys() {}

  /** The key of something numbered {@code number} within what has the key {@code key}. */
  static long key(long key, long number) {
    return mix(key + 0x9E3779B97F4A7C15L * (number + 1));
  }

  /** SplitMix64's finalizer (Steele et al., OOPSLA 2014). */
  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  /**
   * A key for each sequence of a batch: by its tokens, so that it is the same in every batch.
   *
   * @param step steps done before this one
   * @param keys [batch] or longer, written
   */
  public static void ofSequences(long seed, int step, TokenBatch batch, long[] keys) {
    long ofStep = key(seed, step);
    for (int sequence = 0; sequence < batch.batch(); sequence++) {
      long key = ofStep;
      for (int i = sequence * batch.seq(); i < (sequence + 1) * batch.seq(); i++) {
        key = key(key, batch.ids()[i]);
      }
      keys[sequence] = key;
    }
  }

  /**
   * The place of what a half of a block adds to the residual stream.
   *
   * @param half 2 · layer for attention, 2 · layer + 1 for feed-forward
   */
  public static int branch(int half) {
    return EMBEDDING + 1 + half;
  }

  /** The place of an adapter's input. */
  public static int adapter(Adapter adapter) {
    return ADAPTERS + adapter.number();
  }

  /** A value is zeroed when the upper 24 bits of its hash are below this. */
  public static int threshold(double rate) {
    return (int) Math.round(rate * (1 << BITS));
  }

  /** What the others are multiplied by. */
  public static float scale(double rate) {
    return (float) (1 / (1 - rate));
  }
}
