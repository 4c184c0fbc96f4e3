package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.Attention.Matrix;
import java.util.ArrayList;
import java.util.List;

/**
 * Incremental decoding with a key/value cache. A prompt goes through in chunks as matrix products,
 * a single token as matrix-vector products; the code is the same. Workers share out the rows of the
 * weight matrices (one token has no rows to share), so they meet after every projection.
 */
final class CpuDecoder implements LlamaEngine.Decoder {
  private static final int CHUNK = 256;

  private final ParameterLayout layout;
  private final LlamaConfig config;
  private final Weights weights;
  private final Rope rope;
  private final Team team;
  private final int maxLength;
  private final float epsilon;
  private final Worker[] workers;
  private final List<Buffer> owned = new ArrayList<>();

  /** Per layer [maxLength, 2 · kvDim]: turned keys, then values. */
  private final Buffer[] cache;

  /** [chunk, …] of one block; see {@link Activations.Block}. */
  private final Buffer stream;

  private final Buffer normed;
  private final Buffer reciprocal;
  private final Buffer qkv;
  private final Buffer logSums;
  private final Buffer attended;
  private final Buffer gateUp;
  private final Buffer activated;
  private final Buffer logits;
  private final float[] result;
  private int length;
  private boolean closed;

  CpuDecoder(ParameterLayout layout, Weights weights, Team team, int maxLength) {
    this.layout = layout;
    this.config = layout.config();
    this.weights = weights;
    this.rope = new Rope(config, maxLength);
    this.team = team;
    this.maxLength = maxLength;
    this.epsilon = (float) config.normEps();
    this.workers = new Worker[team.size()];
    for (int i = 0; i < workers.length; i++) {
      workers[i] = new Worker(i, team, config);
      workers[i].ensureKeys(maxLength);
    }
    cache = new Buffer[config.layerCount()];
    for (int l = 0; l < cache.length; l++) {
      cache[l] = own(Buffer.allocate(2L * maxLength * config.kvDim()));
    }
    int chunk = Math.min(CHUNK, maxLength);
    stream = own(Buffer.allocate((long) chunk * config.hiddenSize()));
    normed = own(Buffer.allocate((long) chunk * config.hiddenSize()));
    reciprocal = own(Buffer.allocate(chunk));
    qkv = own(Buffer.allocate((long) chunk * config.qkvDim()));
    logSums = own(Buffer.allocate((long) chunk * config.headCount()));
    attended = own(Buffer.allocate((long) chunk * config.queryDim()));
    gateUp = own(Buffer.allocate(2L * chunk * config.intermediateSize()));
    activated = own(Buffer.allocate((long) chunk * config.intermediateSize()));
    logits = own(Buffer.allocate(config.vocabSize()));
    result = new float[config.vocabSize()];
  }

  private Buffer own(Buffer buffer) {
    owned.add(buffer);
    return buffer;
  }

  @Override
  public int length() {
    return length;
  }

  @Override
  public float[] append(int... ids) {
    if (closed) {
      throw new IllegalStateException("decoder: used after close(); start a new one");
    }
    if (ids.length == 0 || length + ids.length > maxLength) {
      throw new IllegalArgumentException(
          "decoder: got "
              + ids.length
              + " tokens after "
              + length
              + ", wanted 1 to "
              + (maxLength - length)
              + "; start the decoder with a larger maximum length");
    }
    for (int i = 0; i < ids.length; i++) {
      TokenBatch.requireInVocabulary(config, ids[i], "token", length + i);
    }
    BlasThreads.confirm();
    for (int start = 0; start < ids.length; start += CHUNK) {
      int from = start;
      int rows = Math.min(CHUNK, ids.length - start);
      boolean last = start + rows == ids.length;
      team.run(member -> decode(workers[member], ids, from, rows, last));
      length += rows;
    }
    logits.copyTo(result, 0);
    return result;
  }

  private void decode(Worker worker, int[] ids, int start, int rows, boolean last) {
    int hidden = config.hiddenSize();
    for (int row = worker.from(rows); row < worker.to(rows); row++) {
      Buffer.copy(
          weights.row(layout.embedding(), ids[start + row]),
          stream.address((long) row * hidden),
          hidden);
    }
    for (int layer = 0; layer < config.layerCount(); layer++) {
      ParameterLayout.Block w = layout.block(layer);
      normalize(worker, weights.attentionNorm(layer), rows);
      project(worker, normed, w.qkv(), 0f, qkv, rows);
      remember(worker, layer, rows);
      attend(worker, layer, rows);
      project(worker, attended, w.attentionOutput(), 1f, stream, rows);
      normalize(worker, weights.mlpNorm(layer), rows);
      project(worker, normed, w.gateUp(), 0f, gateUp, rows);
      SwiGlu.forward(
          gateUp, activated, config.intermediateSize(), worker.from(rows), worker.to(rows));
      worker.barrier();
      project(worker, activated, w.down(), 1f, stream, rows);
    }
    if (last) {
      logits(worker, rows - 1);
    }
  }

  /** normed = RMSNorm(stream). */
  private void normalize(Worker worker, Buffer gain, int rows) {
    RmsNorm.forward(stream, gain, reciprocal, normed, worker.from(rows), worker.to(rows), epsilon);
    worker.barrier();
  }

  /** This worker's columns of y = x Wᵀ (+ y). */
  private void project(Worker worker, Buffer x, Tensor w, float beta, Buffer y, int rows) {
    int from = worker.from(w.rows());
    int to = worker.to(w.rows());
    worker.gemm.timesTransposed(
        rows,
        to - from,
        w.cols(),
        1f,
        x.address(0),
        w.cols(),
        weights.row(w, from),
        w.cols(),
        beta,
        y.address(from),
        w.rows());
    worker.barrier();
  }

  /** Turns queries and keys to their positions and appends keys and values to the cache. */
  private void remember(Worker worker, int layer, int rows) {
    int turned = config.headCount() + config.kvHeadCount();
    long width = 2L * config.kvDim();
    for (int row = worker.from(rows); row < worker.to(rows); row++) {
      int at = row * config.qkvDim();
      for (int head = 0; head < turned; head++) {
        rope.rotate(qkv, at + head * config.headDim(), length + row);
      }
      Buffer.copy(
          qkv.address((long) at + config.queryDim()),
          cache[layer].address((length + row) * width),
          width);
    }
    worker.barrier();
  }

  private void attend(Worker worker, int layer, int rows) {
    int group = config.headCount() / config.kvHeadCount();
    int stride = 2 * config.kvDim();
    for (int head = 0; head < config.headCount(); head++) {
      if (worker.takes(head)) {
        int kvAt = head / group * config.headDim();
        worker
            .attention()
            .forward(
                new Matrix(qkv, head * config.headDim(), config.qkvDim()),
                new Matrix(cache[layer], kvAt, stride),
                new Matrix(cache[layer], config.kvDim() + kvAt, stride),
                new Matrix(attended, head * config.headDim(), config.queryDim()),
                rows,
                length,
                logSums,
                head * rows);
      }
    }
    worker.barrier();
  }

  private void logits(Worker worker, int row) {
    if (worker.takes(0)) {
      RmsNorm.forward(stream, weights.finalNorm(), reciprocal, normed, row, row + 1, epsilon);
    }
    worker.barrier();
    Tensor head = layout.head();
    int from = worker.from(head.rows());
    int to = worker.to(head.rows());
    worker.gemm.timesTransposed(
        1,
        to - from,
        head.cols(),
        1f,
        normed.address((long) row * head.cols()),
        head.cols(),
        weights.row(head, from),
        head.cols(),
        0f,
        logits.address(from),
        head.rows());
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      owned.forEach(Buffer::close);
      rope.close();
      for (Worker worker : workers) {
        worker.close();
      }
    }
  }
}
