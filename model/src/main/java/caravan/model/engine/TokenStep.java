package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The next token of one or several sequences: every row of weights is read once and meets each of
 * them while it is in the cache. What a sequence gets does not depend on the others, nor on the
 * number of workers, bit for bit.
 *
 * <p>Workers share out the rows of each matrix; the norms before it, a few hundred elements, each
 * computes for itself, which costs less than waiting.
 */
final class TokenStep implements AutoCloseable {
  /** Rows of a matrix that meet one sequence before the next: some that the cache holds. */
  private static final int ROWS_AT_A_TIME = 16;

  /** What one worker alone writes. */
  private final class Own {
    final Buffer normed = own(Buffer.allocate((long) capacity * config.hiddenSize()));
    final Buffer reciprocal = own(Buffer.allocate(capacity));
    final Buffer[] x = new Buffer[capacity];
    CachedAttention attention;

    Own(int widest) {
      for (int s = 0; s < capacity; s++) {
        x[s] = own(Buffer.allocate(WeightType.BF16.stride(widest)));
      }
    }
  }

  private final LlamaConfig config;
  private final Team team;
  private final Worker[] workers;
  private final int capacity;
  private final float epsilon;
  private final List<Buffer> buffers = new ArrayList<>();
  private final Own[] own;

  /** [sequences, …]; see {@link Activations.Block}. */
  private final Buffer stream;

  private final Buffer qkv;
  private final Buffer attended;
  private final Buffer gateUp;
  private final Buffer activated;
  private final Buffer logits;

  TokenStep(ParameterLayout layout, Team team, Worker[] workers, int capacity) {
    this.config = layout.config();
    this.team = team;
    this.workers = workers;
    this.capacity = capacity;
    this.epsilon = (float) config.normEps();
    int widest = Math.max(config.hiddenSize(), config.intermediateSize());
    own = new Own[workers.length];
    for (int i = 0; i < own.length; i++) {
      own[i] = new Own(Math.max(widest, config.queryDim()));
    }
    stream = own(Buffer.allocate((long) capacity * config.hiddenSize()));
    qkv = own(Buffer.allocate((long) capacity * config.qkvDim()));
    attended = own(Buffer.allocate((long) capacity * config.queryDim()));
    gateUp = own(Buffer.allocate(2L * capacity * config.intermediateSize()));
    activated = own(Buffer.allocate((long) capacity * config.intermediateSize()));
    logits = own(Buffer.allocate((long) capacity * config.vocabSize()));
  }

  private Buffer own(Buffer buffer) {
    buffers.add(buffer);
    return buffer;
  }

  /** How many sequences it takes at a time. */
  int capacity() {
    return capacity;
  }

  /**
   * Appends {@code ids[i]} to the i-th sequence.
   *
   * @param sequences of one model, each once
   */
  void append(List<CpuDecoder> sequences, int[] ids) {
    for (Own each : own) {
      for (CpuDecoder sequence : sequences) {
        each.attention = CachedAttention.atLeast(each.attention, config, sequence.maxLength());
      }
    }
    CpuDecoder[] batch = sequences.toArray(new CpuDecoder[0]);
    int[] places = sequences.stream().mapToInt(CpuDecoder::length).toArray();
    team.run(
        member -> {
          blocks(workers[member], own[member], batch, places, ids);
          head(workers[member], own[member], batch[0].weights(), batch.length);
        });
    for (int s = 0; s < batch.length; s++) {
      batch[s].advance(1);
      logits.copyTo(batch[s].logits(), (long) s * config.vocabSize());
    }
  }

  /** Appends a few tokens to one sequence, side by side: what they get one after the other. */
  void appendAll(CpuDecoder sequence, int[] ids) {
    for (Own each : own) {
      each.attention = CachedAttention.atLeast(each.attention, config, sequence.maxLength());
    }
    CpuDecoder[] batch = new CpuDecoder[ids.length];
    Arrays.fill(batch, sequence);
    int[] places = IntStream.range(0, ids.length).map(i -> sequence.length() + i).toArray();
    team.run(member -> blocks(workers[member], own[member], batch, places, ids));
    sequence.advance(ids.length);
    logits(sequence, stream, ids.length - 1);
  }

  /** The logits of one row of somebody else's stream. */
  void logits(CpuDecoder sequence, Buffer from, int row) {
    int hidden = config.hiddenSize();
    Buffer.copy(from.address((long) row * hidden), stream.address(0), hidden);
    team.run(member -> head(workers[member], own[member], sequence.weights(), 1));
    logits.copyTo(sequence.logits(), 0);
  }

  /**
   * @param places positions of the tokens in their sequences
   */
  private void blocks(Worker worker, Own own, CpuDecoder[] batch, int[] places, int[] ids) {
    ModelWeights weights = batch[0].weights();
    for (int s = 0; s < batch.length; s++) {
      if (worker.takes(s)) {
        weights.embedding().copyRow(ids[s], stream, s * config.hiddenSize());
      }
    }
    worker.barrier();
    for (int layer = 0; layer < config.layerCount(); layer++) {
      attention(worker, own, batch, places, layer);
      feedForward(worker, own, weights, layer, batch.length);
    }
  }

  private void attention(Worker worker, Own own, CpuDecoder[] batch, int[] places, int layer) {
    ModelWeights weights = batch[0].weights();
    ModelWeights.Block w = weights.block(layer);
    normalize(own, w.qkv(), weights.attentionNorm(layer), batch.length);
    int heads = config.headCount() + 2 * config.kvHeadCount();
    int from = worker.from(heads);
    int to = worker.to(heads);
    int dim = config.headDim();
    multiply(own, w.qkv(), qkv, batch.length, from * dim, to * dim, false);
    for (int s = 0; s < batch.length; s++) {
      remember(batch[s], places[s], s * config.qkvDim(), layer, from, to);
    }
    worker.barrier();
    for (int s = 0; s < batch.length; s++) {
      for (int head = 0; head < config.headCount(); head++) {
        if (worker.takes(s + head)) {
          own.attention.attend(
              qkv,
              s * config.qkvDim() + head * dim,
              batch[s].cache(layer),
              places[s] + 1,
              head,
              attended,
              s * config.queryDim() + head * dim);
        }
      }
    }
    worker.barrier();
    arrange(own, w.attentionOutput(), attended, batch.length);
    share(worker, own, w.attentionOutput(), stream, batch.length, true);
    worker.barrier();
  }

  /** Turns heads [from, to) of one row of queries, keys and values; keeps the latter two. */
  private void remember(CpuDecoder sequence, int place, int row, int layer, int from, int to) {
    int dim = config.headDim();
    int keys = config.headCount();
    int values = keys + config.kvHeadCount();
    for (int head = from; head < to; head++) {
      if (head < values) {
        sequence.rope().rotateNext(qkv, row + head * dim, place);
      }
      if (head >= keys) {
        long at = 2L * place * config.kvDim() + (long) (head - keys) * dim;
        Buffer.copy(qkv.address(row + (long) head * dim), sequence.cache(layer).address(at), dim);
      }
    }
  }

  private void feedForward(Worker worker, Own own, ModelWeights weights, int layer, int count) {
    ModelWeights.Block w = weights.block(layer);
    normalize(own, w.gateUp(), weights.mlpNorm(layer), count);
    int inter = config.intermediateSize();
    // Whole vectors: what is left over is not rounded alike.
    int vectors = Buffer.padded(inter) / Buffer.WIDTH;
    int from = worker.from(vectors) * Buffer.WIDTH;
    int to = Math.min(inter, worker.to(vectors) * Buffer.WIDTH);
    multiply(own, w.gateUp(), gateUp, count, from, to, false);
    multiply(own, w.gateUp(), gateUp, count, inter + from, inter + to, false);
    for (int s = 0; s < count; s++) {
      int gate = 2 * s * inter + from;
      Kernels.gate(gateUp, gate, gate + inter, activated, s * inter + from, to - from);
    }
    worker.barrier();
    arrange(own, w.down(), activated, count);
    share(worker, own, w.down(), stream, count, true);
    worker.barrier();
  }

  private void head(Worker worker, Own own, ModelWeights weights, int count) {
    normalize(own, weights.head(), weights.finalNorm(), count);
    share(worker, own, weights.head(), logits, count, false);
  }

  /** x = RMSNorm(stream), in the order of the matrix that comes next. */
  private void normalize(Own own, WeightMatrix next, Buffer gain, int count) {
    Kernels.normalize(stream, gain, own.reciprocal, own.normed, 0, count, epsilon);
    arrange(own, next, own.normed, count);
  }

  private static void arrange(Own own, WeightMatrix w, Buffer from, int count) {
    for (int s = 0; s < count; s++) {
      Kernels.arrange(w.type(), from, s * w.cols(), w.cols(), own.x[s]);
    }
  }

  /** This worker's rows of y = W x (+ y). */
  private static void share(
      Worker worker, Own own, WeightMatrix w, Buffer y, int count, boolean add) {
    multiply(own, w, y, count, worker.from(w.rows()), worker.to(w.rows()), add);
  }

  private static void multiply(
      Own own, WeightMatrix w, Buffer y, int count, int from, int to, boolean add) {
    int step = count == 1 ? to - from : ROWS_AT_A_TIME;
    for (int start = from; start < to; start += step) {
      int end = Math.min(to, start + step);
      for (int s = 0; s < count; s++) {
        w.times(own.x[s], y, s * w.rows(), start, end, add);
      }
    }
  }

  @Override
  public void close() {
    buffers.forEach(Buffer::close);
    for (Own each : own) {
      if (each.attention != null) {
        each.attention.close();
      }
    }
  }
}
