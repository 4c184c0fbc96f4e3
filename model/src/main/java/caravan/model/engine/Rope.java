package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import caravan.model.LlamaConfig;
import jdk.incubator.vector.FloatVector;

/**
 * Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in Hugging Face's order: component i
 * of a head is paired with i + headDim/2, and position t turns the pair by t · theta^(−2i/headDim).
 *
 * <pre>
 * a' = a · cos − b · sin           b' = b · cos + a · sin
 * </pre>
 *
 * <p>A rotation's gradient is the rotation by the opposite angle.
 */
final class Rope implements AutoCloseable {
  private final int half;

  /** [contextLength, headDim/2] each. */
  private final Buffer cos;

  private final Buffer sin;

  Rope(LlamaConfig config) {
    half = config.headDim() / 2;
    cos = Buffer.allocate((long) config.contextLength() * half);
    sin = Buffer.allocate((long) config.contextLength() * half);
    for (int i = 0; i < half; i++) {
      double frequency = Math.pow(config.ropeTheta(), -2.0 * i / config.headDim());
      for (int t = 0; t < config.contextLength(); t++) {
        cos.set(t * half + i, (float) Math.cos(t * frequency));
        sin.set(t * half + i, (float) Math.sin(t * frequency));
      }
    }
  }

  /** Turns the head that starts at float {@code at} to {@code position}, in place. */
  void rotate(Buffer heads, int at, int position) {
    turn(heads, at, position * half, 1f);
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
