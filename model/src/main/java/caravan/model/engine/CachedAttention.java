package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import caravan.model.LlamaConfig;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Softmax attention of one query over the cached keys and values of its sequence: out = softmax(q
 * Kᵀ / √headDim) V. Holds one thread's scores.
 */
final class CachedAttention implements AutoCloseable {
  private final LlamaConfig config;
  private final int maxKeys;
  private final float scale;

  /** [maxKeys] scores, then e^(score − maximum). */
  private final Buffer scores;

  private final Buffer query;

  private CachedAttention(LlamaConfig config, int maxKeys) {
    this.config = config;
    this.maxKeys = maxKeys;
    this.scale = (float) (1 / Math.sqrt(config.headDim()));
    this.scores = Buffer.allocate(Buffer.padded(maxKeys));
    this.query = Buffer.allocate(config.headDim());
  }

  /** The one given, or a larger one instead. */
  static CachedAttention atLeast(CachedAttention given, LlamaConfig config, int keys) {
    if (given != null && given.maxKeys >= keys) {
      return given;
    }
    if (given != null) {
      given.close();
    }
    return new CachedAttention(config, keys);
  }

  /**
   * @param at where the head's query starts, already turned to its position
   * @param cache [keys, 2 · kvDim] keys, then values
   * @param out receives headDim floats from {@code outAt} on
   */
  void attend(Buffer queries, int at, Buffer cache, int keys, int head, Buffer out, int outAt) {
    int dim = config.headDim();
    int kvAt = head / (config.headCount() / config.kvHeadCount()) * dim;
    int stride = 2 * config.kvDim();
    if (NativeKernels.isUsable()) {
      NativeKernels.attend(
          queries.address(at),
          scale,
          cache.address(kvAt),
          cache.address(kvAt + (long) config.kvDim()),
          stride,
          keys,
          dim,
          query.address(0),
          scores.address(0),
          out.address(outAt));
    } else {
      attendInJava(queries, at, cache, keys, kvAt, out, outAt);
    }
  }

  /** The same bits. */
  void attendInJava(
      Buffer queries, int at, Buffer cache, int keys, int kvAt, Buffer out, int outAt) {
    int dim = config.headDim();
    int stride = 2 * config.kvDim();
    for (int i = 0; i < dim; i++) {
      query.set(i, queries.get(at + i) * scale);
    }
    MatrixVector.f32(cache.address(kvAt), stride, dim, query, scores, 0, 0, keys, false);
    float sum = exponentials(keys);
    weigh(cache.address(kvAt + (long) config.kvDim()), stride, keys, out, outAt, 1 / sum);
  }

  /** Turns scores into e^(score − maximum) and returns their sum. */
  private float exponentials(int keys) {
    int padded = Buffer.padded(keys);
    for (int j = keys; j < padded; j++) {
      scores.set(j, Float.NEGATIVE_INFINITY);
    }
    FloatVector maxima = scores.load(0);
    for (int j = WIDTH; j < padded; j += WIDTH) {
      maxima = maxima.max(scores.load(j));
    }
    float max = maxima.reduceLanes(VectorOperators.MAX);
    FloatVector sums = FloatVector.zero(LANES);
    for (int j = 0; j < padded; j += WIDTH) {
      FloatVector e = Lanes.exp(scores.load(j).sub(max));
      scores.store(j, e);
      sums = sums.add(e);
    }
    return Lanes.sum(sums);
  }

  /** out = factor · Σ scores[t] · values[t]. */
  private void weigh(long values, int stride, int keys, Buffer out, int outAt, float factor) {
    int dim = config.headDim();
    long step = (long) stride * Float.BYTES;
    int d = 0;
    for (; d + 2 * WIDTH <= dim; d += 2 * WIDTH) {
      FloatVector sum = FloatVector.zero(LANES);
      FloatVector next = sum;
      long at = values + (long) d * Float.BYTES;
      for (int t = 0; t < keys; t++, at += step) {
        FloatVector weight = FloatVector.broadcast(LANES, scores.get(t));
        sum = Memory.floats(at).fma(weight, sum);
        next = Memory.floats(at + (long) WIDTH * Float.BYTES).fma(weight, next);
      }
      out.store(outAt + d, sum.mul(factor));
      out.store(outAt + d + WIDTH, next.mul(factor));
    }
    for (; d < dim; d++) {
      float sum = 0;
      long at = values + (long) d * Float.BYTES;
      for (int t = 0; t < keys; t++, at += step) {
        sum += Memory.get(at) * scores.get(t);
      }
      out.set(outAt + d, sum * factor);
    }
  }

  @Override
  public void close() {
    scores.close();
    query.close();
  }
}
