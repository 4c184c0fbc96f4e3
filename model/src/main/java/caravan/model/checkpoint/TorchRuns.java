package caravan.model.checkpoint;

import caravan.model.checkpoint.TorchTensor.Type;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.apache.hadoop.fs.FSDataInputStream;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Reads a tensor from its storage in runs of elements that lie equally far apart: a contiguous one
 * as a single run, others (a transposed matrix) along the dimension that is densest in the storage,
 * so that a file is read forwards whatever the strides.
 */
final class TorchRuns {
  private static final int CHUNK_ELEMENTS = 1 << 18;

  private final FSDataInputStream in;
  private final long begin;
  private final TorchTensor tensor;
  private final Type type;

  /**
   * @param begin the storage's first byte in the file
   */
  TorchRuns(FSDataInputStream in, long begin, TorchTensor tensor) {
    this.in = in;
    this.begin = begin;
    this.tensor = tensor;
    this.type = tensor.storage().type();
  }

  /**
   * @param where names file and tensor, for messages
   * @param target receives the elements, last dimension fastest, at {@code offset} and on
   */
  void read(String where, WeightSink target, long offset) {
    try {
      if (tensor.isContiguous()) {
        readRows(target, offset);
      } else {
        try (FloatPointer rows = new FloatPointer(tensor.length())) {
          readStrided(rows);
          WeightSink.copy(tensor.shape(), rows, target, offset);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + where + ": " + e.getMessage(), e);
    }
  }

  private void readRows(WeightSink target, long offset) throws IOException {
    int stretch = (int) Math.min(WeightSink.stretch(tensor.shape()), tensor.length());
    float[] floats = new float[stretch];
    byte[] bytes = new byte[stretch * type.bytes];
    for (long done = 0; done < tensor.length(); done += stretch) {
      int count = (int) Math.min(stretch, tensor.length() - done);
      read(tensor.offset() + done, 1, bytes, floats, count);
      target.put(offset + done, floats, 0, count);
    }
  }

  private void readStrided(FloatPointer target) throws IOException {
    List<Integer> order = tensor.storageOrder();
    List<Long> steps = tensor.rowMajor();
    int inner = order.get(order.size() - 1);
    long[] index = new long[tensor.shape().size()];
    int turning;
    do {
      long from = tensor.offset();
      long to = 0;
      for (int d : order) {
        from += index[d] * tensor.strides().get(d);
        to += index[d] * steps.get(d);
      }
      long stride = tensor.strides().get(inner);
      readRun(from, stride, tensor.shape().get(inner), target, to, steps.get(inner));
      // The next run: the innermost outer dimension that has one left, like a mileage counter.
      turning = order.size() - 2;
      while (turning >= 0
          && ++index[order.get(turning)] == tensor.shape().get(order.get(turning))) {
        index[order.get(turning--)] = 0;
      }
    } while (turning >= 0);
  }

  /**
   * @param from first element in the storage, and {@code stride} to the next
   * @param to first element in the target, and {@code step} to the next
   */
  private void readRun(long from, long stride, long count, FloatPointer target, long to, long step)
      throws IOException {
    // Very wide strides are read element by element: what lies between is not wanted.
    long fitting = stride == 0 ? CHUNK_ELEMENTS : CHUNK_ELEMENTS / stride;
    int most = (int) Math.min(Math.max(1, fitting), count);
    float[] floats = new float[most];
    byte[] bytes = new byte[(int) ((most - 1) * stride + 1) * type.bytes];
    for (long done = 0; done < count; done += most) {
      int n = (int) Math.min(most, count - done);
      read(from + done * stride, stride, bytes, floats, n);
      for (int i = 0; i < n; i++) {
        target.put(to + (done + i) * step, floats[i]);
      }
    }
  }

  /** Reads {@code count} elements of the storage that lie {@code stride} apart. */
  private void read(long from, long stride, byte[] bytes, float[] floats, int count)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int span = (int) ((count - 1) * stride + 1) * type.bytes;
    in.readFully(begin + from * type.bytes, bytes, 0, span);
    for (int i = 0; i < count; i++) {
      floats[i] = element(buffer, (int) (i * stride) * type.bytes);
    }
  }

  private float element(ByteBuffer bytes, int at) {
    return switch (type) {
      case FloatStorage -> bytes.getFloat(at);
      case HalfStorage -> HalfFloat.toFloat(bytes.getShort(at));
      default -> Float.intBitsToFloat(bytes.getShort(at) << 16);
    };
  }
}
