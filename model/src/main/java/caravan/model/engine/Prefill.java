package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * A prompt on its way into a sequence's cache, in chunks. Workers share out the rows of the weight
 * matrices, so that one short prompt also uses them all; they meet after every projection.
 */
final class Prefill implements AutoCloseable {
  private static final int CHUNK = 256;

  /** Rows of a matrix that are floats at a time. */
  private static final int PANEL_ROWS = 64;

  private final LlamaConfig config;
  private final Team team;
  private final Worker[] workers;
  private final float epsilon;
  private final List<Buffer> owned = new ArrayList<>();

  /** [chunk, …] of one block; see {@link Activations.Block}. */
  private final Buffer stream;

  private final Buffer normed;
  private final Buffer reciprocal;
  private final Buffer qkv;
  private final Buffer logSums;
  private final Buffer attended;
  private final Buffer gateUp;
  private final Buffer activated;

  /**
   * A projection's input as packed weights want it: [chunk, cols] in bf16 where the processor
   * multiplies that itself, else [chunk, stride] floats in the order of the weights; null for f32.
   */
  private Buffer arranged;

  /** Per worker [PANEL_ROWS, stride] rows of packed weights as floats. */
  private Buffer[] panels;

  Prefill(ParameterLayout layout, Team team, Worker[] workers) {
    this.config = layout.config();
    this.team = team;
    this.workers = workers;
    this.epsilon = (float) config.normEps();
    int chunk = Math.min(CHUNK, config.contextLength());
    stream = own(Buffer.allocate((long) chunk * config.hiddenSize()));
    normed = own(Buffer.allocate((long) chunk * config.hiddenSize()));
    reciprocal = own(Buffer.allocate(chunk));
    qkv = own(Buffer.allocate((long) chunk * config.qkvDim()));
    logSums = own(Buffer.allocate((long) chunk * config.headCount()));
    attended = own(Buffer.allocate((long) chunk * config.queryDim()));
    gateUp = own(Buffer.allocate(2L * chunk * config.intermediateSize()));
    activated = own(Buffer.allocate((long) chunk * config.intermediateSize()));
  }

  private Buffer own(Buffer buffer) {
    owned.add(buffer);
    return buffer;
  }

  /** [chunk, hidden] after the last block, of the last chunk. */
  Buffer stream() {
    return stream;
  }

  /** The last token's row there. */
  int lastRow(int tokens) {
    return (tokens - 1) % CHUNK;
  }

  void append(CpuDecoder sequence, int[] ids) {
    prepare(sequence.weights().type());
    for (int start = 0; start < ids.length; start += CHUNK) {
      int from = start;
      int rows = Math.min(CHUNK, ids.length - start);
      team.run(member -> chunk(workers[member], member, sequence, ids, from, rows));
      sequence.advance(rows);
    }
  }

  private void prepare(WeightType type) {
    if (type != WeightType.F32 && arranged == null) {
      int widest = Math.max(config.hiddenSize(), config.intermediateSize());
      int stride = type.stride(Math.max(widest, config.queryDim()));
      arranged = own(Buffer.allocate((long) Math.min(CHUNK, config.contextLength()) * stride));
      panels = new Buffer[workers.length];
      for (int i = 0; i < panels.length; i++) {
        panels[i] = own(Buffer.allocate((long) PANEL_ROWS * stride));
      }
    }
  }

  private void chunk(
      Worker worker, int member, CpuDecoder sequence, int[] ids, int start, int rows) {
    ModelWeights weights = sequence.weights();
    for (int row = worker.from(rows); row < worker.to(rows); row++) {
      weights.embedding().copyRow(ids[start + row], stream, row * config.hiddenSize());
    }
    for (int layer = 0; layer < config.layerCount(); layer++) {
      ModelWeights.Block w = weights.block(layer);
      normalize(worker, weights.attentionNorm(layer), rows);
      project(worker, member, normed, w.qkv(), 0f, qkv, rows);
      remember(worker, sequence, layer, rows);
      attend(worker, sequence, layer, rows);
      project(worker, member, attended, w.attentionOutput(), 1f, stream, rows);
      normalize(worker, weights.mlpNorm(layer), rows);
      project(worker, member, normed, w.gateUp(), 0f, gateUp, rows);
      int inter = config.intermediateSize();
      for (int row = worker.from(rows); row < worker.to(rows); row++) {
        int gate = 2 * row * inter;
        Kernels.gate(gateUp, gate, gate + inter, activated, row * inter, inter);
      }
      worker.barrier();
      project(worker, member, activated, w.down(), 1f, stream, rows);
    }
  }

  /** normed = RMSNorm(stream). */
  private void normalize(Worker worker, Buffer gain, int rows) {
    Kernels.normalize(
        stream, gain, reciprocal, normed, worker.from(rows), worker.to(rows), epsilon);
    worker.barrier();
  }

  /** This worker's columns of y = x Wᵀ (+ y). */
  private void project(
      Worker worker, int member, Buffer x, WeightMatrix w, float beta, Buffer y, int rows) {
    int from = worker.from(w.rows());
    int to = worker.to(w.rows());
    if (w.type() == WeightType.F32) {
      multiply(worker, rows, to - from, w.cols(), x, w.row(from), beta, y, from, w.rows());
    } else if (w.type() == WeightType.BF16 && HalfGemm.isNative()) {
      multiplyHalves(worker, x, w, beta, y, rows);
    } else {
      arrange(worker, x, w, rows);
      for (int panel = from; panel < to; panel += PANEL_ROWS) {
        int end = Math.min(to, panel + PANEL_ROWS);
        w.unpack(panel, end, panels[member]);
        long floats = panels[member].address(0);
        multiply(worker, rows, end - panel, w.stride(), arranged, floats, beta, y, panel, w.rows());
      }
    }
    worker.barrier();
  }

  private static void multiply(
      Worker worker,
      int rows,
      int columns,
      int depth,
      Buffer x,
      long w,
      float beta,
      Buffer y,
      int yAt,
      int yStride) {
    worker.gemm.timesTransposed(
        rows, columns, depth, 1f, x.address(0), depth, w, depth, beta, y.address(yAt), yStride);
  }

  /** Rounds x to bf16, as the weights are; sums are fp32. */
  private void multiplyHalves(
      Worker worker, Buffer x, WeightMatrix w, float beta, Buffer y, int rows) {
    int cols = w.cols();
    long first = (long) worker.from(rows) * cols;
    long end = (long) worker.to(rows) * cols;
    long halves = arranged.address(0);
    HalfGemm gemm = worker.gemm.halves();
    gemm.round(x.address(first), halves + first * Short.BYTES, end - first);
    worker.barrier();
    int from = worker.from(w.rows());
    int columns = worker.to(w.rows()) - from;
    gemm.timesTransposed(
        rows,
        columns,
        cols,
        halves,
        cols,
        w.row(from),
        w.stride(),
        beta == 1f,
        y.address(from),
        w.rows());
  }

  private void arrange(Worker worker, Buffer x, WeightMatrix w, int rows) {
    for (int r = worker.from(rows); r < worker.to(rows); r++) {
      Buffer row = Buffer.view(arranged.address((long) r * w.stride()), w.stride());
      Kernels.arrange(w.type(), x, r * w.cols(), w.cols(), row);
    }
    worker.barrier();
  }

  /** Turns queries and keys to their positions and appends keys and values to the cache. */
  private void remember(Worker worker, CpuDecoder sequence, int layer, int rows) {
    int turned = config.headCount() + config.kvHeadCount();
    long width = 2L * config.kvDim();
    for (int row = worker.from(rows); row < worker.to(rows); row++) {
      int at = row * config.qkvDim();
      for (int head = 0; head < turned; head++) {
        sequence.rope().rotateNext(qkv, at + head * config.headDim(), sequence.length() + row);
      }
      Buffer.copy(
          qkv.address((long) at + config.queryDim()),
          sequence.cache(layer).address((sequence.length() + row) * width),
          width);
    }
    worker.barrier();
  }

  private void attend(Worker worker, CpuDecoder sequence, int layer, int rows) {
    int group = config.headCount() / config.kvHeadCount();
    int stride = 2 * config.kvDim();
    Buffer cache = sequence.cache(layer);
    for (int head = 0; head < config.headCount(); head++) {
      if (worker.takes(head)) {
        int kvAt = head / group * config.headDim();
        worker
            .attention()
            .forward(
                new Matrix(qkv, head * config.headDim(), config.qkvDim()),
                new Matrix(cache, kvAt, stride),
                new Matrix(cache, config.kvDim() + kvAt, stride),
                new Matrix(attended, head * config.headDim(), config.queryDim()),
                rows,
                sequence.length(),
                logSums,
                head * rows);
      }
    }
    worker.barrier();
  }

  @Override
  public void close() {
    owned.forEach(Buffer::close);
  }
}
