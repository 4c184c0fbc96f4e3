package caravan.model.train;

import caravan.model.ParameterRanges;
import caravan.model.engine.VectorApi;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.learning.GradientUpdater;

/**
 * The passes of a {@link FlatOptimizer} over memory: one for the gradient's norm over what the step
 * moves, one fused pass for state and update.
 *
 * <p>A gradient whose norm is not finite moves nothing and leaves the state as it was: the run ends
 * with its weights whole.
 */
public abstract class FlatUpdater<C extends FlatOptimizer> implements GradientUpdater<C> {
  static final ByteOrder ORDER = ByteOrder.nativeOrder();

  /**
   * Floats per chunk: a direct buffer addresses less than 2 GiB, and a partial sum of squares stays
   * accurate.
   */
  private static final int CHUNK = 1 << 14;

  private final C config;
  private INDArray state;
  private double gradientNorm;

  FlatUpdater(C config) {
    this.config = config;
  }

  /**
   * What one step's chunks share.
   *
   * @param scale of the gradient, by clipping
   * @param rate learning rate
   * @param steps of this turn, this one included: for bias corrections
   */
  record Pass(float scale, double rate, int steps) {}

  /**
   * Replaces a chunk of the gradient by what is then subtracted from the parameters.
   *
   * @param g floats of the gradient
   * @param state the same floats of each state vector
   */
  abstract void update(ByteBuffer g, ByteBuffer[] state, Pass pass);

  @Override
  public final C getConfig() {
    return config;
  }

  /** Global norm of the last gradient before clipping. */
  public final double gradientNorm() {
    return gradientNorm;
  }

  @Override
  public final void setState(Map<String, INDArray> map, boolean initialize) {
    throw flatOnly();
  }

  static UnsupportedOperationException flatOnly() {
    return new UnsupportedOperationException(
        "our optimizers work over DL4J's flattened state view only");
  }

  @Override
  public final Map<String, INDArray> getState() {
    return state == null ? Map.of() : Map.of("momentView", state);
  }

  @Override
  public final void setStateViewArray(
      INDArray view, long[] gradientShape, char order, boolean initialize) {
    if (view.dataType() != DataType.FLOAT) {
      throw new IllegalArgumentException(
          "optimizer state: got " + view.dataType() + ", wanted FLOAT");
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
  public final void applyUpdater(INDArray gradient, int iteration, int epoch) {
    long length = gradient.length();
    Pointer g = gradient.data().addressPointer();
    ParameterRanges moved = config.moved(iteration).within(0, length);
    if (config.turns().begins(iteration) && state != null) {
      state.assign(0);
    }
    gradientNorm = norm(g, moved);
    if (!Double.isFinite(gradientNorm)) {
      zero(g, 0, length);
      return;
    }
    boolean clip = config.clipNorm() > 0 && gradientNorm > config.clipNorm();
    Pass pass =
        new Pass(
            clip ? (float) (config.clipNorm() / gradientNorm) : 1f,
            config.getLearningRate(iteration, epoch),
            config.stepsOfState(iteration) + 1);
    long stateAt = 0;
    long end = 0;
    for (int range = 0; range < moved.count(); range++) {
      zero(g, end, moved.from(range));
      end = moved.to(range);
      update(g, moved.from(range), end, stateAt, pass);
      stateAt += end - moved.from(range);
    }
    zero(g, end, length);
  }

  private void update(Pointer g, long from, long to, long stateAt, Pass pass) {
    ByteBuffer[] chunk = new ByteBuffer[config.stateVectors()];
    Pointer floats = chunk.length == 0 ? null : state.data().addressPointer();
    long stride = chunk.length == 0 ? 0 : state.length() / chunk.length;
    for (long at = from; at < to; at += CHUNK) {
      int count = (int) Math.min(CHUNK, to - at);
      for (int i = 0; i < chunk.length; i++) {
        chunk[i] = bytes(floats, i * stride + stateAt + at - from, count);
      }
      update(bytes(g, at, count), chunk, pass);
    }
  }

  private static double norm(Pointer g, ParameterRanges moved) {
    double squares = 0;
    for (int range = 0; range < moved.count(); range++) {
      for (long at = moved.from(range); at < moved.to(range); at += CHUNK) {
        squares += squares(bytes(g, at, (int) Math.min(CHUNK, moved.to(range) - at)));
      }
    }
    return Math.sqrt(squares);
  }

  private static double squares(ByteBuffer g) {
    int end = g.capacity();
    int vectorEnd = VectorApi.isPresent() ? FlatVectors.whole(end) : 0;
    double total = vectorEnd > 0 ? FlatVectors.squares(g, vectorEnd) : 0;
    for (int at = vectorEnd; at < end; at += Float.BYTES) {
      total += (double) g.getFloat(at) * g.getFloat(at);
    }
    return total;
  }

  private static void zero(Pointer floats, long from, long to) {
    if (from < to) {
      Pointer.memset(floats.getPointer(FloatPointer.class, from), 0, (to - from) * Float.BYTES);
    }
  }

  private static ByteBuffer bytes(Pointer floats, long at, int length) {
    Pointer start = floats.getPointer(FloatPointer.class, at);
    return start.capacity(length).asByteBuffer().order(ORDER);
  }
}
