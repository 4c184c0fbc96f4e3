package caravan.model.engine;

import caravan.model.LlamaConfig;
import java.util.List;

/** One sequence: the keys and values of its tokens, and the logits after the last of them. */
final class CpuDecoder implements LlamaEngine.Decoder {
  private final CpuDecoding decoding;
  private final ModelWeights weights;
  private final boolean ownsWeights;
  private final LlamaConfig config;
  private final int maxLength;
  private final Rope rope;
  private final float[] logits;

  /** Per layer [maxLength, 2 · kvDim]: turned keys, then values. */
  private final Buffer[] cache;

  private int length;
  private boolean closed;

  /**
   * @param decoding computes, for this and other sequences
   * @param ownsWeights whether to close them
   */
  CpuDecoder(CpuDecoding decoding, ModelWeights weights, boolean ownsWeights, int maxLength) {
    this.decoding = decoding;
    this.weights = weights;
    this.ownsWeights = ownsWeights;
    this.config = decoding.config();
    this.maxLength = maxLength;
    this.rope = new Rope(config, maxLength);
    this.logits = new float[config.vocabSize()];
    cache = new Buffer[config.layerCount()];
    for (int l = 0; l < cache.length; l++) {
      cache[l] = Buffer.allocate(2L * maxLength * config.kvDim());
    }
  }

  @Override
  public int length() {
    return length;
  }

  @Override
  public float[] append(int... ids) {
    requireFits(ids);
    decoding.append(this, ids);
    return logits;
  }

  /** Whether each can take its id, before any of them does. */
  static void requireFits(List<? extends LlamaEngine.Decoder> sequences, int[] ids) {
    if (sequences.isEmpty() || sequences.size() != ids.length) {
      throw new IllegalArgumentException(
          "decoders: got "
              + ids.length
              + " tokens for "
              + sequences.size()
              + " sequences, wanted one for each");
    }
    for (int i = 0; i < ids.length; i++) {
      CpuDecoder sequence = (CpuDecoder) sequences.get(i);
      sequence.requireFits(ids[i]);
      if (!sequence.weights.equal(((CpuDecoder) sequences.get(0)).weights)
          || sequences.indexOf(sequence) != i) {
        throw new IllegalArgumentException(
            "decoders: wanted different sequences of one model whose parameters the engine keeps;"
                + " the one at "
                + i
                + " is not");
      }
    }
  }

  private void requireFits(int... ids) {
    if (closed) {
      throw new IllegalStateException("decoder: used after close(); start a new one");
    }
    if (ids.length == 0 || length + ids.length > maxLength) {
      throw new IllegalArgumentException(
          "decoder: got "
              + ids.length
              + " tokens after "
              + length
              + ", wanted 1 to "
              + (maxLength - length)
              + "; start the decoder with a larger maximum length");
    }
    for (int i = 0; i < ids.length; i++) {
      TokenBatch.requireInVocabulary(config, ids[i], "token", length + i);
    }
  }

  ModelWeights weights() {
    return weights;
  }

  Rope rope() {
    return rope;
  }

  int maxLength() {
    return maxLength;
  }

  Buffer cache(int layer) {
    return cache[layer];
  }

  void advance(int tokens) {
    length += tokens;
  }

  /** [vocabSize] after the last token. */
  float[] logits() {
    return logits;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      for (Buffer layer : cache) {
        layer.close();
      }
      rope.close();
      if (ownsWeights) {
        weights.close();
      }
    }
  }
}
