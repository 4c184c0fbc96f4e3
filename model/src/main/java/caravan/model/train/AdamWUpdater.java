package caravan.model.train;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.learning.GradientUpdater;

/**
 * The arithmetic of {@link AdamW}: one pass for the gradient's norm, one fused pass for moments and
 * update.
 */
public final class AdamWUpdater implements GradientUpdater<AdamW> {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int WIDTH = SPECIES.length();
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  /**
   * Floats per chunk: a direct buffer addresses less than 2 GiB, and a partial sum of squares stays
   * accurate.
   */
  private static final int CHUNK = 1 << 14;

  private final AdamW config;
  private INDArray state;
  private double gradientNorm;

  AdamWUpdater(AdamW config) {
    this.config = config;
  }

  @Override
  public AdamW getConfig() {
    return config;
  }

  /** Global norm of the last gradient before clipping. */
  public double gradientNorm() {
    return gradientNorm;
  }

  @Override
  public void setState(Map<String, INDArray> map, boolean initialize) {
    throw new UnsupportedOperationException("AdamW works over DL4J's flattened state view only");
  }

  @Override
  public Map<String, INDArray> getState() {
    return Map.of("momentView", state);
  }

  @Override
  public void setStateViewArray(
      INDArray view, long[] gradientShape, char order, boolean initialize) {
    if (view.dataType() != DataType.FLOAT) {
      throw new IllegalArgumentException("AdamW state: got " + view.dataType() + ", wanted FLOAT");
    }
    if (initialize) {
      view.assign(0);
    }
    state = view;
  }

  /**
   * Replaces the gradient by the update that DL4J then subtracts from the parameters.
   *
   * @param iteration steps done before this one
   */
  @Override
  public void applyUpdater(INDArray gradient, int iteration, int epoch) {
    long n = gradient.length();
    Pointer g = gradient.data().addressPointer();
    Pointer moments = state.data().addressPointer();
    double squares = 0;
    for (long at = 0; at < n; at += CHUNK) {
      squares += squares(bytes(g, at, (int) Math.min(CHUNK, n - at)));
    }
    gradientNorm = Math.sqrt(squares);
    boolean clip = config.clipNorm() > 0 && gradientNorm > config.clipNorm();
    float scale = clip ? (float) (config.clipNorm() / gradientNorm) : 1f;
    double step = iteration + 1.0;
    float rate =
        (float) (config.getLearningRate(iteration, epoch) / (1 - Math.pow(config.beta1(), step)));
    float root = (float) (1 / Math.sqrt(1 - Math.pow(config.beta2(), step)));
    for (long at = 0; at < n; at += CHUNK) {
      int length = (int) Math.min(CHUNK, n - at);
      update(
          bytes(g, at, length),
          bytes(moments, at, length),
          bytes(moments, n + at, length),
          scale,
          rate,
          root);
    }
  }

  /**
   * m = β1·m + (1−β1)·g, v = β2·v + (1−β2)·g², g = rate · m / (√v · root + ε), with g first scaled
   * by the clipping.
   */
  private void update(
      ByteBuffer g, ByteBuffer m, ByteBuffer v, float scale, float rate, float root) {
    float b1 = (float) config.beta1();
    float b2 = (float) config.beta2();
    float c1 = (float) (1 - config.beta1());
    float c2 = (float) (1 - config.beta2());
    float epsilon = (float) config.epsilon();
    int end = g.capacity();
    int vectorEnd = end - end % (4 * WIDTH);
    for (int at = 0; at < vectorEnd; at += 4 * WIDTH) {
      FloatVector gradient = FloatVector.fromByteBuffer(SPECIES, g, at, ORDER).mul(scale);
      FloatVector first =
          FloatVector.fromByteBuffer(SPECIES, m, at, ORDER).mul(b1).add(gradient.mul(c1));
      FloatVector second =
          FloatVector.fromByteBuffer(SPECIES, v, at, ORDER)
              .mul(b2)
              .add(gradient.mul(gradient).mul(c2));
      first.intoByteBuffer(m, at, ORDER);
      second.intoByteBuffer(v, at, ORDER);
      first.mul(rate).div(second.sqrt().mul(root).add(epsilon)).intoByteBuffer(g, at, ORDER);
    }
    for (int at = vectorEnd; at < end; at += 4) {
      float gradient = g.getFloat(at) * scale;
      float first = m.getFloat(at) * b1 + gradient * c1;
      float second = v.getFloat(at) * b2 + gradient * gradient * c2;
      m.putFloat(at, first);
      v.putFloat(at, second);
      g.putFloat(at, first * rate / ((float) Math.sqrt(second) * root + epsilon));
    }
  }

  private static double squares(ByteBuffer g) {
    int end = g.capacity();
    int vectorEnd = end - end % (4 * WIDTH);
    FloatVector sum = FloatVector.zero(SPECIES);
    for (int at = 0; at < vectorEnd; at += 4 * WIDTH) {
      FloatVector x = FloatVector.fromByteBuffer(SPECIES, g, at, ORDER);
      sum = x.fma(x, sum);
    }
    // Lane by lane: reduceLanes may add in another order once it is compiled, and repeats must be
    // bit-identical.
    double total = 0;
    for (float lane : sum.toArray()) {
      total += lane;
    }
    for (int at = vectorEnd; at < end; at += 4) {
      total += (double) g.getFloat(at) * g.getFloat(at);
    }
    return total;
  }

  private static ByteBuffer bytes(Pointer floats, long at, int length) {
    Pointer start = floats.getPointer(org.bytedeco.javacpp.FloatPointer.class, at);
    return start.capacity(length).asByteBuffer().order(ORDER);
  }
}
