package caravan.model.checkpoint;

import java.util.List;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Takes a model's weights as they are read from a file. Rows come whole where they are of at most
 * {@link #MOST_ROW_FLOATS}; those of one tensor come from one thread, in any order.
 */
public interface WeightSink {
  /** Longest row that is never cut. */
  int MOST_ROW_FLOATS = 1 << 18;

  /**
   * @param offset of the first one among all parameters, in {@link caravan.model.ParameterLayout}'s
   *     order
   * @param floats holds {@code count} of them from {@code floats[from]} on; the caller's
   */
  void put(long offset, float[] floats, int from, int count);

  /** Copies all into one vector. */
  static WeightSink into(FloatPointer parameters) {
    return (offset, floats, from, count) -> Floats.put(parameters, offset, floats, from, count);
  }

  /** Floats of the stretches in which a tensor is read: as many whole rows as fit. */
  static int stretch(List<Long> shape) {
    long row = shape.isEmpty() ? 1 : shape.get(shape.size() - 1);
    return row > MOST_ROW_FLOATS || row == 0
        ? MOST_ROW_FLOATS
        : (int) (MOST_ROW_FLOATS / row * row);
  }

  /**
   * Puts a tensor that lies in memory.
   *
   * @param offset of its first element among all parameters
   */
  static void copy(List<Long> shape, FloatPointer tensor, WeightSink target, long offset) {
    long length = shape.stream().reduce(1L, (a, b) -> a * b);
    float[] floats = new float[(int) Math.min(stretch(shape), length)];
    for (long done = 0; done < length; done += floats.length) {
      int count = (int) Math.min(floats.length, length - done);
      Floats.get(tensor, done, floats, count);
      target.put(offset + done, floats, 0, count);
    }
  }
}
