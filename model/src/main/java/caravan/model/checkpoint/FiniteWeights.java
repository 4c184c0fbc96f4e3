package caravan.model.checkpoint;

import java.util.List;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Looks for weights that are no numbers, which make everything computed with them one, too. Each
 * reader asks as it reads; what is mapped into memory is looked through at once, by all cores.
 */
final class FiniteWeights {
  private static final int CHUNK_FLOATS = 1 << 16;

  private FiniteWeights() {}

  /**
   * Hands a tensor on.
   *
   * @param where names file and tensor, for the message
   * @param start offset of its first element
   * @return throws IllegalArgumentException when an element is NaN or infinite
   */
  static WeightSink guard(String where, List<Long> shape, long start, WeightSink target) {
    return (offset, floats, from, count) -> {
      int at = firstWrong(floats, from, count);
      if (at >= 0) {
        throw wrong(where, shape, offset - start + at, floats[from + at]);
      }
      target.put(offset, floats, from, count);
    };
  }

  /**
   * @param path the file that the parameters are mapped from
   * @throws IllegalArgumentException when a weight is NaN or infinite
   */
  static void require(
      String path, List<HuggingFaceWeights.Slice> slices, FloatPointer parameters, long length) {
    int stripes = Runtime.getRuntime().availableProcessors();
    IntStream.range(0, stripes)
        .parallel()
        .mapToObj(i -> firstWrong(parameters, length * i / stripes, length * (i + 1) / stripes))
        .flatMapToLong(OptionalLong::stream)
        .min()
        .ifPresent(at -> refuse(path, slices, parameters, at));
  }

  private static void refuse(
      String path, List<HuggingFaceWeights.Slice> slices, FloatPointer parameters, long at) {
    for (HuggingFaceWeights.Slice slice : slices) {
      if (at >= slice.offset() && at < slice.offset() + slice.length()) {
        throw wrong(
            path + ": tensor " + slice.name(),
            slice.shape(),
            at - slice.offset(),
            parameters.get(at));
      }
    }
  }

  private static OptionalLong firstWrong(FloatPointer parameters, long from, long to) {
    float[] chunk = new float[CHUNK_FLOATS];
    for (long done = from; done < to; done += CHUNK_FLOATS) {
      int count = (int) Math.min(CHUNK_FLOATS, to - done);
      Floats.get(parameters, done, chunk, count);
      int at = firstWrong(chunk, 0, count);
      if (at >= 0) {
        return OptionalLong.of(done + at);
      }
    }
    return OptionalLong.empty();
  }

  /** Its index, counted from {@code from}; −1 where all are finite. */
  private static int firstWrong(float[] floats, int from, int count) {
    if (areFinite(floats, from, from + count)) {
      return -1;
    }
    int at = 0;
    while (Float.isFinite(floats[from + at])) {
      at++;
    }
    return at;
  }

  /** Zero times a number is zero; times infinity or NaN it is NaN. Four sums, to be quick. */
  private static boolean areFinite(float[] floats, int from, int to) {
    float a = 0;
    float b = 0;
    float c = 0;
    float d = 0;
    int i = from;
    for (; i < to - 3; i += 4) {
      a += 0 * floats[i];
      b += 0 * floats[i + 1];
      c += 0 * floats[i + 2];
      d += 0 * floats[i + 3];
    }
    for (; i < to; i++) {
      a += 0 * floats[i];
    }
    return a + b + c + d == 0;
  }

  private static IllegalArgumentException wrong(
      String where, List<Long> shape, long at, float value) {
    long cols = shape.isEmpty() ? 1 : shape.get(shape.size() - 1);
    return new IllegalArgumentException(
        "%s of shape %s holds %s at row %d, column %d, wanted finite numbers: its training diverged, or the file is damaged; take an earlier checkpoint or another copy"
            .formatted(where, shape, value, at / cols, at % cols));
  }
}
