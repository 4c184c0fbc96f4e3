package caravan.model.train;

import caravan.model.ParameterRanges;
import caravan.model.engine.FlatLoops;
import caravan.model.engine.Team;
import java.util.Map;
import java.util.function.IntConsumer;
import org.bytedeco.javacpp.FloatPointer;
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
  /**
   * Floats per chunk: threads share out chunks, whose sums of squares are added in their order, so
   * that no bit depends on who took which.
   */
  private static final int CHUNK = 1 << 14;

  private final C config;
  private INDArray state;
  private double gradientNorm;

  /** Null for the calling thread alone. */
  private Team team;

  /** Of each chunk. */
  private double[] squares = {};

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
   * Replaces a chunk of the gradient by what is then subtracted from the parameters. Several
   * threads are here at once.
   *
   * @param g address of the chunk's floats of the gradient
   * @param state address of the same floats of the first state vector
   * @param stride bytes from one state vector to the next
   */
  abstract void update(long g, long state, long stride, int count, Pass pass);

  /** Shares out the passes among so many threads from now on; no bit depends on it. */
  final void useThreads(int threads) {
    if (threads != (team == null ? 1 : team.size())) {
      close();
      team = threads == 1 ? null : new Team(threads);
    }
  }

  /** Ends the threads; the next pass is the calling thread's alone. */
  final void close() {
    if (team != null) {
      team.close();
      team = null;
    }
  }

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
    long g = address(gradient);
    ParameterRanges moved = config.moved(iteration).within(0, length);
    if (config.turns().begins(iteration) && state != null) {
      state.assign(0);
    }
    gradientNorm = norm(g, moved);
    if (!Double.isFinite(gradientNorm)) {
      FlatLoops.zero(g, length);
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

  private void update(long g, long from, long to, long stateAt, Pass pass) {
    int vectors = config.stateVectors();
    long stride = vectors == 0 ? 0 : state.length() / vectors * Float.BYTES;
    long states = vectors == 0 ? 0 : address(state) + (stateAt - from) * Float.BYTES;
    share(
        chunks(to - from),
        chunk -> {
          long at = from + (long) chunk * CHUNK;
          int count = (int) Math.min(CHUNK, to - at);
          update(g + at * Float.BYTES, states + at * Float.BYTES, stride, count, pass);
        });
  }

  private double norm(long g, ParameterRanges moved) {
    double sum = 0;
    for (int range = 0; range < moved.count(); range++) {
      long from = moved.from(range);
      long to = moved.to(range);
      int chunks = chunks(to - from);
      if (squares.length < chunks) {
        squares = new double[chunks];
      }
      share(
          chunks,
          chunk -> {
            long at = from + (long) chunk * CHUNK;
            int count = (int) Math.min(CHUNK, to - at);
            squares[chunk] = FlatLoops.squares(g + at * Float.BYTES, count);
          });
      for (int chunk = 0; chunk < chunks; chunk++) {
        sum += squares[chunk];
      }
    }
    return Math.sqrt(sum);
  }

  private static int chunks(long floats) {
    return Math.toIntExact((floats + CHUNK - 1) / CHUNK);
  }

  /** Runs work on each chunk, on neighbouring ones in one thread. */
  private void share(int chunks, IntConsumer work) {
    if (team == null || chunks < 2 * team.size()) {
      for (int chunk = 0; chunk < chunks; chunk++) {
        work.accept(chunk);
      }
      return;
    }
    long members = team.size();
    team.run(
        member -> {
          int end = (int) (chunks * (member + 1L) / members);
          for (int chunk = (int) (chunks * (long) member / members); chunk < end; chunk++) {
            work.accept(chunk);
          }
        });
  }

  private static void zero(long floats, long from, long to) {
    if (from < to) {
      FlatLoops.zero(floats + from * Float.BYTES, to - from);
    }
  }

  /** Of the first float of a view without gaps. */
  private static long address(INDArray array) {
    FloatPointer floats = new FloatPointer(array.data().addressPointer());
    return floats.address() + floats.position() * Float.BYTES;
  }
}
