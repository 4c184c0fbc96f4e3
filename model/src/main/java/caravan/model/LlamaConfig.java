package caravan.model;

import java.io.Serializable;

/**
 * Shape of a Llama model (Touvron et al. 2023, arXiv 2302.13971; grouped-query attention from arXiv
 * 2305.13245).
 *
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width of the SwiGLU feed-forward layer
 * @param layerCount number of blocks
 * @param headCount number of query heads
 * @param kvHeadCount number of key and value heads; divides headCount
 * @param headDim width of one head, even
 * @param vocabSize number of token ids
 * @param contextLength longest sequence in tokens
 * @param ropeTheta base of the rotary frequencies
 * @param normEps epsilon inside RMSNorm's square root
 * @param tiedEmbeddings whether the output head is the embedding matrix
 * @param ropeScaling how the rotary frequencies are stretched for longer texts
 */
public record LlamaConfig(
    int hiddenSize,
    int intermediateSize,
    int layerCount,
    int headCount,
    int kvHeadCount,
    int headDim,
    int vocabSize,
    int contextLength,
    double ropeTheta,
    double normEps,
    boolean tiedEmbeddings,
    RopeScaling ropeScaling)
    implements Serializable {

  /** Far more than any Llama has: a number beyond it is a damaged file's. */
  private static final int MOST_LAYERS = 10_000;

  public LlamaConfig {
    positive("hidden-size", hiddenSize);
    positive("intermediate-size", intermediateSize);
    positive("num-hidden-layers", layerCount);
    positive("num-attention-heads", headCount);
    positive("num-key-value-heads", kvHeadCount);
    positive("head-dim", headDim);
    positive("vocab-size", vocabSize);
    positive("max-position-embeddings", contextLength);
    if (layerCount > MOST_LAYERS) {
      throw new IllegalArgumentException(
          "model.num-hidden-layers: got " + layerCount + ", wanted at most " + MOST_LAYERS);
    }
    if (headCount % kvHeadCount != 0) {
      throw new IllegalArgumentException(
          "model.num-key-value-heads: got "
              + kvHeadCount
              + ", wanted a divisor of model.num-attention-heads = "
              + headCount);
    }
    if (headDim % 2 != 0) {
      throw new IllegalArgumentException(
          "model.head-dim: got " + headDim + ", wanted an even number (rotary pairs)");
    }
    if (!(ropeTheta > 0) || !(normEps > 0)) {
      throw new IllegalArgumentException(
          "model.rope-theta and model.rms-norm-eps: got "
              + ropeTheta
              + " and "
              + normEps
              + ", wanted positive numbers");
    }
    if (ropeScaling.dependsOnLength() && headDim < 4) {
      throw new IllegalArgumentException(
          "model.head-dim: got " + headDim + ", wanted at least 4 for dynamic rope scaling");
    }
    if (ropeScaling.dependsOnLength() && contextLength != ropeScaling.longest()) {
      throw new IllegalArgumentException(
          "model.max-position-embeddings: got "
              + contextLength
              + ", wanted factor × original-max-position-embeddings = "
              + ropeScaling.longest()
              + " with dynamic rope scaling");
    }
  }

  /** A shape with unscaled rotary frequencies. */
  public LlamaConfig(
      int hiddenSize,
      int intermediateSize,
      int layerCount,
      int headCount,
      int kvHeadCount,
      int headDim,
      int vocabSize,
      int contextLength,
      double ropeTheta,
      double normEps,
      boolean tiedEmbeddings) {
    this(
        hiddenSize,
        intermediateSize,
        layerCount,
        headCount,
        kvHeadCount,
        headDim,
        vocabSize,
        contextLength,
        ropeTheta,
        normEps,
        tiedEmbeddings,
        RopeScaling.NONE);
  }

  /** The same weights read with other rotary frequencies and another longest sequence. */
  public LlamaConfig withContext(int longest, RopeScaling scaling) {
    return new LlamaConfig(
        hiddenSize,
        intermediateSize,
        layerCount,
        headCount,
        kvHeadCount,
        headDim,
        vocabSize,
        longest,
        ropeTheta,
        normEps,
        tiedEmbeddings,
        scaling);
  }

  /** The same blocks with another number of token ids. */
  public LlamaConfig withVocabSize(int size) {
    return new LlamaConfig(
        hiddenSize,
        intermediateSize,
        layerCount,
        headCount,
        kvHeadCount,
        headDim,
        size,
        contextLength,
        ropeTheta,
        normEps,
        tiedEmbeddings,
        ropeScaling);
  }

  /**
   * Radians that each rotary pair turns per position.
   *
   * @param length tokens of the sequence, which dynamic scaling depends on
   * @return [headDim / 2]
   */
  public double[] rotaryFrequencies(int length) {
    return ropeScaling.frequencies(ropeTheta, headDim, length);
  }

  /** Width of all query heads together: headCount × headDim. */
  public int queryDim() {
    return headCount * headDim;
  }

  /** Width of all key (or value) heads together: kvHeadCount × headDim. */
  public int kvDim() {
    return kvHeadCount * headDim;
  }

  /** Width of the fused projection: queries, then keys, then values. */
  public int qkvDim() {
    return queryDim() + 2 * kvDim();
  }

  private static void positive(String key, int value) {
    if (value < 1) {
      throw new IllegalArgumentException("model." + key + ": got " + value + ", wanted at least 1");
    }
  }
}
