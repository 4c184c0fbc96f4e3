package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.FloatVector;

/**
 * Root mean square normalization (Zhang and Sennrich 2019, arXiv 1910.07467).
 *
 * <pre>
 * r = 1 / √(mean(x²) + ε)          y = x · r · g
 * dg += dy · x · r                 dx = r · (dy · g) − x · r³ / width · Σ(dy · g · x)
 * </pre>
 *
 * <p>All matrices are [rows, width] without gaps.
 */
final class RmsNorm {
  private RmsNorm() {}

  /** Writes {@code out} and the reciprocal r of each row in [from, to). */
  static void forward(
      Buffer x, Buffer gain, Buffer reciprocal, Buffer out, int from, int to, float epsilon) {
    int width = (int) gain.length();
    int bound = LANES.loopBound(width);
    for (int row = from; row < to; row++) {
      int at = row * width;
      float r = (float) (1 / Math.sqrt(sumOfSquares(x, at, width) / width + epsilon));
      reciprocal.set(row, r);
      int j = 0;
      for (; j < bound; j += WIDTH) {
        out.store(at + j, x.load(at + j).mul(r).mul(gain.load(j)));
      }
      for (; j < width; j++) {
        out.set(at + j, x.get(at + j) * r * gain.get(j));
      }
    }
  }

  private static float sumOfSquares(Buffer x, int at, int width) {
    int bound = LANES.loopBound(width);
    FloatVector squares = FloatVector.zero(LANES);
    int j = 0;
    for (; j < bound; j += WIDTH) {
      FloatVector v = x.load(at + j);
      squares = v.fma(v, squares);
    }
    float sum = Lanes.sum(squares);
    for (; j < width; j++) {
      sum += x.get(at + j) * x.get(at + j);
    }
    return sum;
  }

  /**
   * Gradient of rows [from, to).
   *
   * @param gainGradient receives dg in floats [gainAt, gainAt + width), added to what is there
   * @param residual added to dx: the gradient that flows around the normalized branch
   */
  static void backward(
      Buffer dy,
      Buffer x,
      Buffer reciprocal,
      Buffer gain,
      Buffer gainGradient,
      int gainAt,
      Buffer residual,
      Buffer dx,
      int from,
      int to) {
    int width = (int) gain.length();
    int bound = LANES.loopBound(width);
    for (int row = from; row < to; row++) {
      int at = row * width;
      float r = reciprocal.get(row);
      float dot = addGainGradient(dy, x, r, gain, gainGradient, gainAt, at);
      float pull = -dot * r * r * r / width;
      int j = 0;
      for (; j < bound; j += WIDTH) {
        FloatVector direct = dy.load(at + j).mul(gain.load(j)).mul(r);
        dx.store(at + j, x.load(at + j).mul(pull).add(direct).add(residual.load(at + j)));
      }
      for (; j < width; j++) {
        float direct = dy.get(at + j) * gain.get(j) * r;
        dx.set(at + j, x.get(at + j) * pull + direct + residual.get(at + j));
      }
    }
  }

  /** Adds one row's dg and returns Σ(dy · g · x). */
  private static float addGainGradient(
      Buffer dy, Buffer x, float r, Buffer gain, Buffer gainGradient, int gainAt, int at) {
    int width = (int) gain.length();
    int bound = LANES.loopBound(width);
    FloatVector dots = FloatVector.zero(LANES);
    int j = 0;
    for (; j < bound; j += WIDTH) {
      FloatVector product = dy.load(at + j).mul(x.load(at + j));
      dots = product.fma(gain.load(j), dots);
      gainGradient.store(gainAt + j, product.mul(r).add(gainGradient.load(gainAt + j)));
    }
    float dot = Lanes.sum(dots);
    for (; j < width; j++) {
      float product = dy.get(at + j) * x.get(at + j);
      dot += product * gain.get(j);
      gainGradient.set(gainAt + j, gainGradient.get(gainAt + j) + product * r);
    }
    return dot;
  }
}
