package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import caravan.model.LlamaConfig;
import jdk.incubator.vector.FloatVector;

/**
 * Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in Hugging Face's order: component i
 * of a head is paired with i + headDim/2, and position t turns the pair by t · fᵢ with fᵢ =
 * theta^(−2i/headDim), or what {@link caravan.model.RopeScaling} makes of it.
 *
 * <pre>
 * a' = a · cos − b · sin           b' = b · cos + a · sin
 * </pre>
 *
 * <p>A rotation's gradient is the rotation by the opposite angle.
 */
final class Rope implements AutoCloseable {
  private final LlamaConfig config;
  private final int length;
  private final int half;

  /** [length, headDim/2] each. */
  private final Buffer cos;

  private final Buffer sin;

  /** Bytes of the table for sequences of so many tokens. */
  static long bytes(LlamaConfig config, int length) {
    return 2 * Buffer.bytesOf((long) length * (config.headDim() / 2));
  }

  /** Bytes of the table. */
  long bytes() {
    return cos.bytes() + sin.bytes();
  }

  /**
   * @param length tokens of the longest sequence that is turned
   */
  Rope(LlamaConfig config, int length) {
    this.config = config;
    this.length = length;
    half = config.headDim() / 2;
    cos = Buffer.allocate((long) length * half);
    sin = Buffer.allocate((long) length * half);
    double[] frequencies = config.rotaryFrequencies(length);
    for (int i = 0; i < half; i++) {
      for (int t = 0; t < length; t++) {
        cos.set(t * half + i, (float) Math.cos(t * frequencies[i]));
        sin.set(t * half + i, (float) Math.sin(t * frequencies[i]));
      }
    }
  }

  /** Whether these are the angles of sequences of {@code seq} tokens. */
  boolean suits(int seq) {
    return config.ropeScaling().dependsOnLength() ? seq == length : seq <= length;
  }

  /** Turns the head that starts at float {@code at} to {@code position}, in place. */
  void rotate(Buffer heads, int at, int position) {
    turn(heads, at, position * half, 1f);
  }

  /** {@link #rotate}, compiled where that can be. */
  void rotateNext(Buffer heads, int at, int position) {
    if (NativeKernels.isUsable()) {
      int angles = position * half;
      NativeKernels.rotate(heads.address(at), cos.address(angles), sin.address(angles), half);
    } else {
      rotate(heads, at, position);
    }
  }

  /** The inverse of {@link #rotate}: turns gradients back. */
  void rotateBack(Buffer heads, int at, int position) {
    turn(heads, at, position * half, -1f);
  }

  private void turn(Buffer heads, int at, int angles, float direction) {
    int i = 0;
    for (int bound = LANES.loopBound(half); i < bound; i += WIDTH) {
      FloatVector a = heads.load(at + i);
      FloatVector b = heads.load(at + half + i);
      FloatVector c = cos.load(angles + i);
      FloatVector s = sin.load(angles + i).mul(direction);
      heads.store(at + i, a.mul(c).sub(b.mul(s)));
      heads.store(at + half + i, b.mul(c).add(a.mul(s)));
    }
    for (; i < half; i++) {
      float a = heads.get(at + i);
      float b = heads.get(at + half + i);
      float c = cos.get(angles + i);
      float s = sin.get(angles + i) * direction;
      heads.set(at + i, a * c - b * s);
      heads.set(at + half + i, b * c + a * s);
    }
  }

  @Override
  public void close() {
    cos.close();
    sin.close();
  }
}
