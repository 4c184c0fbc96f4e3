package caravan.model;

import java.io.Serializable;

/**
 * How rotary frequencies are stretched so that a model reads longer texts than it was trained on.
 * Names are those of Hugging Face's {@code rope_scaling}.
 *
 * @param type none, linear (Chen et al. 2023, arXiv 2306.15595), dynamic (NTK-aware scaling by the
 *     sequence's length) or llama3 (Llama 3.1, arXiv 2407.21783: long wavelengths only)
 * @param factor how many times longer texts become, ≥ 1
 * @param lowFreqFactor llama3: wavelengths above originalMaxPositionEmbeddings / lowFreqFactor are
 *     stretched in full
 * @param highFreqFactor llama3: those below originalMaxPositionEmbeddings / highFreqFactor are left
 *     alone, those between are blended
 * @param originalMaxPositionEmbeddings context of the first training in tokens; 0 where the type
 *     needs none
 */
public record RopeScaling(
    Type type,
    double factor,
    double lowFreqFactor,
    double highFreqFactor,
    int originalMaxPositionEmbeddings)
    implements Serializable {

  /** The rules there are. */
  public enum Type {
    NONE,
    LINEAR,
    DYNAMIC,
    LLAMA3
  }

  /** Frequencies as the model was first trained with them. */
  public static final RopeScaling NONE = new RopeScaling(Type.NONE, 1, 1, 1, 0);

  public RopeScaling {
    if (!(factor >= 1) || Double.isInfinite(factor)) {
      throw new IllegalArgumentException(
          "model.rope-scaling.factor: got " + factor + ", wanted at least 1");
    }
    boolean needsOriginal = type == Type.DYNAMIC || type == Type.LLAMA3;
    if (originalMaxPositionEmbeddings < (needsOriginal ? 1 : 0)) {
      throw new IllegalArgumentException(
          "model.rope-scaling.original-max-position-embeddings: got "
              + originalMaxPositionEmbeddings
              + ", wanted the context of the first training in tokens");
    }
    if (type == Type.LLAMA3 && !(lowFreqFactor > 0 && highFreqFactor > lowFreqFactor)) {
      throw new IllegalArgumentException(
          "model.rope-scaling.low-freq-factor and high-freq-factor: got "
              + lowFreqFactor
              + " and "
              + highFreqFactor
              + ", wanted 0 < low < high");
    }
  }

  public static RopeScaling linear(double factor) {
    return new RopeScaling(Type.LINEAR, factor, 1, 1, 0);
  }

  public static RopeScaling dynamic(double factor, int originalContext) {
    return new RopeScaling(Type.DYNAMIC, factor, 1, 1, originalContext);
  }

  public static RopeScaling llama3(double factor, double low, double high, int originalContext) {
    return new RopeScaling(Type.LLAMA3, factor, low, high, originalContext);
  }

  /** Tokens that the first training's context becomes: factor × originalMaxPositionEmbeddings. */
  public int longest() {
    return (int) Math.round(factor * originalMaxPositionEmbeddings);
  }

  /** Whether the frequencies depend on the sequence's length. */
  public boolean dependsOnLength() {
    return type == Type.DYNAMIC;
  }

  /**
   * @param theta base of the unscaled frequencies
   * @param length tokens of the sequence; only {@link Type#DYNAMIC} looks at it
   * @return [headDim / 2] radians that each rotary pair turns per position
   */
  double[] frequencies(double theta, int headDim, int length) {
    double base = theta;
    if (type == Type.DYNAMIC && length > originalMaxPositionEmbeddings) {
      double stretch = factor * length / originalMaxPositionEmbeddings - (factor - 1);
      base *= Math.pow(stretch, headDim / (headDim - 2.0));
    }
    double[] frequencies = new double[headDim / 2];
    for (int i = 0; i < frequencies.length; i++) {
      double frequency = Math.pow(base, -2.0 * i / headDim);
      frequencies[i] =
          switch (type) {
            case LINEAR -> frequency / factor;
            case LLAMA3 -> llama3(frequency);
            default -> frequency;
          };
    }
    return frequencies;
  }

  /**
   * What each unscaled frequency is divided by, as llama.cpp keeps {@link Type#LLAMA3}.
   *
   * @return [headDim / 2]
   */
  public float[] factors(double theta, int headDim) {
    double[] before = NONE.frequencies(theta, headDim, 0);
    double[] after = frequencies(theta, headDim, 0);
    float[] factors = new float[before.length];
    for (int i = 0; i < factors.length; i++) {
      factors[i] = (float) (before[i] / after[i]);
    }
    return factors;
  }

  private double llama3(double frequency) {
    double turns = originalMaxPositionEmbeddings * frequency / (2 * Math.PI);
    double kept = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    double blend = Math.max(0, Math.min(1, kept));
    return (1 - blend) * frequency / factor + blend * frequency;
  }
}
