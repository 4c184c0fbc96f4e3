package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.engine.Phases.Phase;

/**
 * A block's attention over a batch: queries and keys turned to their positions, and one task per
 * sequence and key/value head with all query heads that share it. Within a row, each document is a
 * sequence of its own.
 */
final class BlockAttention {
  private final LlamaConfig config;
  private Rope rope;

  BlockAttention(LlamaConfig config) {
    this.config = config;
  }

  /** One worker's windows on the heads that it is at; moved, not made anew. */
  static final class Heads {
    private final Matrix query = new Matrix();
    private final Matrix key = new Matrix();
    private final Matrix value = new Matrix();
    private final Matrix out = new Matrix();
    private final Matrix dQuery = new Matrix();
    private final Matrix dKey = new Matrix();
    private final Matrix dValue = new Matrix();
    private final Matrix dOut = new Matrix();
  }

  /** The angles of the next passes. */
  void turnBy(Rope angles) {
    rope = angles;
  }

  /** Rotary positions for the queries and keys of rows [from, to). */
  void turn(Buffer qkv, TokenBatch batch, int from, int to) {
    int turned = config.headCount() + config.kvHeadCount();
    for (int row = from; row < to; row++) {
      for (int head = 0; head < turned; head++) {
        int at = row * config.qkvDim() + head * config.headDim();
        rope.rotate(qkv, at, row % batch.seq());
      }
    }
  }

  /** This worker's sequences and heads: queries, keys and values → attended. */
  void forward(Worker worker, Activations a, TokenBatch batch, int layer) {
    int group = config.headCount() / config.kvHeadCount();
    for (int task = 0; task < batch.batch() * config.kvHeadCount(); task++) {
      if (worker.takes(task)) {
        int sequence = task / config.kvHeadCount();
        int kvHead = task % config.kvHeadCount();
        for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
          headForward(worker, a, batch, layer, sequence, head);
        }
      }
    }
    worker.phases.end(Phase.ATTEND);
  }

  private void headForward(
      Worker worker, Activations a, TokenBatch batch, int layer, int sequence, int head) {
    Buffer logSums = a.block(layer).logSums();
    Heads heads = worker.heads;
    int end;
    for (int first = 0; first < batch.seq(); first = end) {
      end = batch.documentEnd(sequence, first);
      see(heads, a.block(layer), batch, sequence, head, first);
      worker
          .attention()
          .forward(
              heads.query,
              heads.key,
              heads.value,
              heads.out,
              end - first,
              0,
              logSums,
              logSumsAt(batch, sequence, head) + first);
    }
  }

  /** dAttended → dQkv, by sequence and key/value head; queries and keys turned back. */
  void backward(Worker worker, Activations a, TokenBatch batch, int layer) {
    int group = config.headCount() / config.kvHeadCount();
    for (int task = 0; task < batch.batch() * config.kvHeadCount(); task++) {
      if (worker.takes(task)) {
        int sequence = task / config.kvHeadCount();
        int kvHead = task % config.kvHeadCount();
        for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
          headBackward(worker, a, batch, layer, sequence, head);
          turnBack(a.dQkv, batch, sequence, head);
        }
        turnBack(a.dQkv, batch, sequence, config.headCount() + kvHead);
      }
    }
    worker.phases.end(Phase.ATTEND_GRADIENT);
  }

  private void headBackward(
      Worker worker, Activations a, TokenBatch batch, int layer, int sequence, int head) {
    Buffer logSums = a.block(layer).logSums();
    Heads heads = worker.heads;
    boolean keysHaveSome = head % (config.headCount() / config.kvHeadCount()) != 0;
    int end;
    for (int first = 0; first < batch.seq(); first = end) {
      end = batch.documentEnd(sequence, first);
      see(heads, a.block(layer), batch, sequence, head, first);
      seeGradients(heads, a, batch, sequence, head, first);
      worker
          .attention()
          .backward(
              heads.query,
              heads.key,
              heads.value,
              heads.out,
              heads.dOut,
              logSums,
              logSumsAt(batch, sequence, head) + first,
              end - first,
              keysHaveSome,
              heads.dQuery,
              heads.dKey,
              heads.dValue);
    }
  }

  /** Windows on a query head and its key/value head, from a position of the sequence on. */
  private void see(
      Heads heads, Activations.Block b, TokenBatch batch, int sequence, int head, int first) {
    int kvHead = config.headCount() + head / (config.headCount() / config.kvHeadCount());
    place(heads.query, b.qkv(), batch, sequence, head, first);
    place(heads.key, b.qkv(), batch, sequence, kvHead, first);
    place(heads.value, b.qkv(), batch, sequence, kvHead + config.kvHeadCount(), first);
    placeOut(heads.out, b.attended(), batch, sequence, head, first);
  }

  private void seeGradients(
      Heads heads, Activations a, TokenBatch batch, int sequence, int head, int first) {
    int kvHead = config.headCount() + head / (config.headCount() / config.kvHeadCount());
    place(heads.dQuery, a.dQkv, batch, sequence, head, first);
    place(heads.dKey, a.dQkv, batch, sequence, kvHead, first);
    place(heads.dValue, a.dQkv, batch, sequence, kvHead + config.kvHeadCount(), first);
    placeOut(heads.dOut, a.dAttended, batch, sequence, head, first);
  }

  /**
   * @param index of a head of qkv: queries, then keys, then values
   */
  private void place(
      Matrix window, Buffer qkv, TokenBatch batch, int sequence, int index, int first) {
    int row = sequence * batch.seq() + first;
    window.move(qkv, row * config.qkvDim() + index * config.headDim(), config.qkvDim());
  }

  private void placeOut(
      Matrix window, Buffer attended, TokenBatch batch, int sequence, int head, int first) {
    int row = sequence * batch.seq() + first;
    window.move(attended, row * config.queryDim() + head * config.headDim(), config.queryDim());
  }

  private int logSumsAt(TokenBatch batch, int sequence, int head) {
    return (sequence * config.headCount() + head) * batch.seq();
  }

  private void turnBack(Buffer dQkv, TokenBatch batch, int sequence, int index) {
    for (int position = 0; position < batch.seq(); position++) {
      int row = sequence * batch.seq() + position;
      rope.rotateBack(dQkv, row * config.qkvDim() + index * config.headDim(), position);
    }
  }
}
