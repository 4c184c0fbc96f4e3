package caravan.model.engine.cuda;

import caravan.model.engine.TokenBatch;
import java.nio.ByteBuffer;
import java.nio.IntBuffer;

/**
 * A batch's ids and targets on the GPU, and the order of its rows by id that the embedding's
 * gradient needs. Batches go through a few slots in turn, in memory that copies reach without a
 * stop: writing a slot waits for the pass that used it, several passes ago.
 */
final class BatchOnDevice implements AutoCloseable {
  private static final int SLOTS = 4;

  /** Below this share of rows with a target, only those are taken to the head. */
  private static final double GATHER_BELOW = 7 / 8.0;

  /** ids, targets of the head's rows, target rows, order, distinct ids, starts, documents. */
  private static final int ARRAYS = 7;

  private final Device device;
  private final int capacity;
  private final int stride;

  /** Bytes from a slot's start to the keys of its sequences. */
  private final long keysAt;

  private final ByteBuffer[] hosts = new ByteBuffer[SLOTS];
  private final long[] buffers = new long[SLOTS];
  private final long[] events = new long[SLOTS];
  private final boolean[] used = new boolean[SLOTS];
  private final int[] counts;
  private int slot;
  private int batch;
  private int seq;
  private int targetCount;
  private int headRows;
  private int distinct;
  private boolean packed;
  private long angles;
  private Pass pass = Pass.SCORING;

  BatchOnDevice(Device device, int vocabSize, int capacity) {
    this.device = device;
    this.capacity = capacity;
    this.stride = capacity + 1;
    this.keysAt =
        ((long) ARRAYS * stride * Integer.BYTES + Long.BYTES - 1) / Long.BYTES * Long.BYTES;
    long bytes = keysAt + (long) capacity * Long.BYTES;
    this.counts = new int[vocabSize + 1];
    try {
      for (int i = 0; i < SLOTS; i++) {
        hosts[i] = device.allocateHost(bytes);
        buffers[i] = device.allocate("batches", bytes);
        events[i] = device.event();
      }
    } catch (CudaException e) {
      close();
      throw e;
    }
  }

  boolean holds(int tokens) {
    return tokens <= capacity;
  }

  /**
   * Sends a batch; its addresses hold until {@link #done} and three more batches.
   *
   * @param rotaryAngles of its positions
   */
  void send(TokenBatch tokens, long rotaryAngles, Pass how) {
    slot = (slot + 1) % SLOTS;
    if (used[slot]) {
      device.await(events[slot]);
    }
    batch = tokens.batch();
    seq = tokens.seq();
    angles = rotaryAngles;
    pass = how;
    IntBuffer host = hosts[slot].asIntBuffer();
    host.put(0, tokens.ids());
    host.put(6 * stride, tokens.starts());
    packed = tokens.isPacked();
    targetCount = tokens.targetCount();
    boolean gathers = targetCount < GATHER_BELOW * tokens.ids().length;
    headRows = gathers ? targetCount : tokens.ids().length;
    for (int row = 0, at = 0; row < tokens.ids().length; row++) {
      if (!gathers || tokens.targets()[row] != TokenBatch.IGNORED) {
        host.put(stride + at, tokens.targets()[row]);
        host.put(2 * stride + at, row);
        at++;
      }
    }
    sort(tokens.ids(), host);
    long bytes = (long) ARRAYS * stride * Integer.BYTES;
    long from = Driver.addressOf(hosts[slot]);
    device.upload(buffers[slot], from, bytes);
    long[] keys = how.sequenceKeys();
    for (int i = 0; i < keys.length; i++) {
      hosts[slot].putLong((int) keysAt + i * Long.BYTES, keys[i]);
    }
    if (keys.length > 0) {
      device.upload(buffers[slot] + keysAt, from + keysAt, (long) keys.length * Long.BYTES);
    }
  }

  /** Rows in order of their ids, by counting. */
  private void sort(int[] ids, IntBuffer host) {
    java.util.Arrays.fill(counts, 0);
    for (int id : ids) {
      counts[id + 1]++;
    }
    distinct = 0;
    for (int id = 0; id + 1 < counts.length; id++) {
      if (counts[id + 1] > 0) {
        host.put(4 * stride + distinct, id);
        host.put(5 * stride + distinct, counts[id]);
        distinct++;
      }
      counts[id + 1] += counts[id];
    }
    host.put(5 * stride + distinct, ids.length);
    for (int row = 0; row < ids.length; row++) {
      host.put(3 * stride + counts[ids[row]]++, row);
    }
  }

  /** Called when everything that reads the present batch has been asked for. */
  void done() {
    device.record(events[slot]);
    used[slot] = true;
  }

  int batch() {
    return batch;
  }

  /** How it goes through. */
  Pass pass() {
    return pass;
  }

  /** int64 [batch] dropout's keys. */
  long keys() {
    return buffers[slot] + keysAt;
  }

  int seq() {
    return seq;
  }

  int tokens() {
    return batch * seq;
  }

  int targetCount() {
    return targetCount;
  }

  /** Rows that the head sees. */
  int headRows() {
    return headRows;
  }

  /** Whether those are fewer than all. */
  boolean gathers() {
    return headRows < tokens();
  }

  int distinct() {
    return distinct;
  }

  long angles() {
    return angles;
  }

  long ids() {
    return array(0);
  }

  /** int [headRows], {@link TokenBatch#IGNORED} where there is none. */
  long headTargets() {
    return array(1);
  }

  /** int [headRows] places of those rows in the batch. */
  long targetRows() {
    return array(2);
  }

  long order() {
    return array(3);
  }

  long distinctIds() {
    return array(4);
  }

  long starts() {
    return array(5);
  }

  /** int [batch × seq] {@link TokenBatch#starts}; 0 where every row is one document. */
  long documents() {
    return packed ? array(6) : 0;
  }

  private long array(int index) {
    return buffers[slot] + (long) index * stride * Integer.BYTES;
  }

  @Override
  public void close() {
    for (int i = 0; i < SLOTS; i++) {
      device.free(buffers[i]);
      device.freeHost(hosts[i]);
    }
  }
}
