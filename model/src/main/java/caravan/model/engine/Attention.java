package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Causal softmax attention of one query head at a time, a tile of query rows against all the keys
 * they may see, so that nothing of size seq × seq is kept: the backward pass computes the
 * probabilities again from the row's logarithm of the sum of exponentials (Dao et al. 2022, arXiv
 * 2205.14135, section 3.1, without its tiling over keys).
 *
 * <pre>
 * S = Q Kᵀ / √headDim              P = softmax(S), row i over keys 0 … position(i)       O = P V
 * dV = Pᵀ dO        dP = dO Vᵀ     dS = P ∘ (dP − rowsum(dO ∘ O)) / √headDim
 * dQ = dS K         dK = dSᵀ Q
 * </pre>
 *
 * <p>Holds one thread's tiles.
 */
final class Attention implements AutoCloseable {
  private static final int TILE_ROWS = 64;

  /** 0, 1, 2, … */
  private static final FloatVector LANE_NUMBERS = FloatVector.zero(LANES).addIndex(1);

  private final Gemm gemm;
  private final int headDim;
  private final float scale;

  /** Floats from one tile row to the next: the keys, rounded up to whole vectors. */
  private final int tileStride;

  /** [TILE_ROWS, keys] S, then P. */
  private final Buffer probabilities;

  /** [TILE_ROWS, keys] dP, then dS. */
  private final Buffer gradients;

  /** 1 / Σ of the tile's rows. */
  private final float[] reciprocals = new float[TILE_ROWS];

  Attention(Gemm gemm, int headDim, int maxKeys) {
    this.gemm = gemm;
    this.headDim = headDim;
    this.scale = (float) (1 / Math.sqrt(headDim));
    this.tileStride = Buffer.padded(maxKeys);
    this.probabilities = Buffer.allocate((long) TILE_ROWS * tileStride);
    this.gradients = Buffer.allocate((long) TILE_ROWS * tileStride);
  }

  int maxKeys() {
    return tileStride;
  }

  /** Bytes of the tiles for so many keys. */
  static long bytes(int keys) {
    return 2 * Buffer.bytesOf((long) TILE_ROWS * Buffer.padded(keys));
  }

  /** Bytes of the tiles. */
  long bytes() {
    return probabilities.bytes() + gradients.bytes();
  }

  /**
   * @param rows query rows; row i sees keys 0 … firstPosition + i
   * @param out [rows, headDim] written
   * @param logSums [rows] from float {@code logSumsAt}: log Σ exp S of each row
   */
  void forward(
      Matrix q,
      Matrix k,
      Matrix v,
      Matrix out,
      int rows,
      int firstPosition,
      Buffer logSums,
      int logSumsAt) {
    for (int i0 = 0; i0 < rows; i0 += TILE_ROWS) {
      int m = Math.min(TILE_ROWS, rows - i0);
      int keys = firstPosition + i0 + m;
      scores(q, k, i0, m, keys);
      for (int i = 0; i < m; i++) {
        logSums.set(logSumsAt + i0 + i, exponentials(i, firstPosition + i0 + i + 1, keys));
      }
      gemm.times(
          m,
          headDim,
          keys,
          1f,
          probabilities.address(0),
          tileStride,
          v.row(0),
          v.stride(),
          0f,
          out.row(i0),
          out.stride());
      for (int i = 0; i < m; i++) {
        scale(out, i0 + i, reciprocals[i]);
      }
    }
  }

  private void scores(Matrix q, Matrix k, int i0, int m, int keys) {
    gemm.timesTransposed(
        m,
        keys,
        headDim,
        scale,
        q.row(i0),
        q.stride(),
        k.row(0),
        k.stride(),
        0f,
        probabilities.address(0),
        tileStride);
  }

  /**
   * Turns one row of scores into e^(score − maximum): {@code seen} of them, zeros up to {@code
   * keys}. The division by their sum is left to the output's row, which is shorter.
   *
   * @return log Σ exp(scores)
   */
  private float exponentials(int row, int seen, int keys) {
    int at = row * tileStride;
    int padded = Buffer.padded(seen);
    hide(at, seen, padded);
    FloatVector maxima = probabilities.load(at);
    for (int j = WIDTH; j < padded; j += WIDTH) {
      maxima = maxima.max(probabilities.load(at + j));
    }
    float max = maxima.reduceLanes(VectorOperators.MAX);
    FloatVector sums = FloatVector.zero(LANES);
    for (int j = 0; j < padded; j += WIDTH) {
      FloatVector e = Lanes.exp(probabilities.load(at + j).sub(max));
      probabilities.store(at + j, e);
      sums = sums.add(e);
    }
    clear(at, padded, keys);
    float sum = Lanes.sum(sums);
    reciprocals[row] = 1 / sum;
    return (float) (max + Math.log(sum));
  }

  /** Keys behind the causal mask, up to a whole vector: e^−∞ = 0. */
  private void hide(int at, int seen, int padded) {
    int last = padded - WIDTH;
    VectorMask<Float> hidden = LANE_NUMBERS.compare(VectorOperators.GE, (float) (seen - last));
    FloatVector scores = probabilities.load(at + last);
    probabilities.store(at + last, scores.blend(Float.NEGATIVE_INFINITY, hidden));
  }

  private void scale(Matrix rows, int row, float factor) {
    int at = rows.index(row);
    int j = 0;
    for (int bound = LANES.loopBound(headDim); j < bound; j += WIDTH) {
      rows.buffer().store(at + j, rows.buffer().load(at + j).mul(factor));
    }
    for (; j < headDim; j++) {
      rows.buffer().set(at + j, rows.buffer().get(at + j) * factor);
    }
  }

  private void clear(int at, int from, int to) {
    FloatVector zero = FloatVector.zero(LANES);
    for (int j = from; j < to; j += WIDTH) {
      probabilities.store(at + j, zero);
    }
  }

  /**
   * Gradient of one query head. Tiles go from the last rows to the first: the last one touches
   * every key, so it may overwrite dK and dV, and all others add.
   *
   * @param addToKeys whether another query head of the same group has been here before
   */
  void backward(
      Matrix q,
      Matrix k,
      Matrix v,
      Matrix out,
      Matrix dOut,
      Buffer logSums,
      int logSumsAt,
      int rows,
      boolean addToKeys,
      Matrix dQ,
      Matrix dK,
      Matrix dV) {
    int last = (rows - 1) / TILE_ROWS * TILE_ROWS;
    for (int i0 = last; i0 >= 0; i0 -= TILE_ROWS) {
      int m = Math.min(TILE_ROWS, rows - i0);
      int keys = i0 + m;
      float beta = addToKeys || i0 < last ? 1f : 0f;
      long p = probabilities.address(0);
      long ds = gradients.address(0);
      scores(q, k, i0, m, keys);
      for (int i = 0; i < m; i++) {
        probabilitiesAgain(i * tileStride, i0 + i + 1, keys, logSums.get(logSumsAt + i0 + i));
      }
      gemm.transposedTimes(
          keys,
          headDim,
          m,
          1f,
          p,
          tileStride,
          dOut.row(i0),
          dOut.stride(),
          beta,
          dV.row(0),
          dV.stride());
      gemm.timesTransposed(
          m,
          keys,
          headDim,
          1f,
          dOut.row(i0),
          dOut.stride(),
          v.row(0),
          v.stride(),
          0f,
          ds,
          tileStride);
      for (int i = 0; i < m; i++) {
        scoreGradient(i * tileStride, keys, dot(out, dOut, i0 + i));
      }
      gemm.times(
          m, headDim, keys, 1f, ds, tileStride, k.row(0), k.stride(), 0f, dQ.row(i0), dQ.stride());
      gemm.transposedTimes(
          keys,
          headDim,
          m,
          1f,
          ds,
          tileStride,
          q.row(i0),
          q.stride(),
          beta,
          dK.row(0),
          dK.stride());
    }
  }

  private void probabilitiesAgain(int at, int seen, int keys, float logSum) {
    int padded = Buffer.padded(seen);
    hide(at, seen, padded);
    for (int j = 0; j < padded; j += WIDTH) {
      FloatVector s = probabilities.load(at + j);
      probabilities.store(at + j, Lanes.exp(s.sub(logSum)));
    }
    clear(at, padded, keys);
  }

  private void scoreGradient(int at, int keys, float dot) {
    for (int j = 0; j < keys; j += WIDTH) {
      FloatVector p = probabilities.load(at + j);
      gradients.store(at + j, gradients.load(at + j).sub(dot).mul(p).mul(scale));
    }
  }

  /** Σ dO ∘ O of one row. */
  private float dot(Matrix out, Matrix dOut, int row) {
    int a = out.index(row);
    int b = dOut.index(row);
    FloatVector sums = FloatVector.zero(LANES);
    int j = 0;
    for (int bound = LANES.loopBound(headDim); j < bound; j += WIDTH) {
      sums = out.buffer().load(a + j).fma(dOut.buffer().load(b + j), sums);
    }
    float sum = Lanes.sum(sums);
    for (; j < headDim; j++) {
      sum += out.buffer().get(a + j) * dOut.buffer().get(b + j);
    }
    return sum;
  }

  @Override
  public void close() {
    probabilities.close();
    gradients.close();
  }
}
