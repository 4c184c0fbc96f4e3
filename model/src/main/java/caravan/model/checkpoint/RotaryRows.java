package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Where a row of another format's matrix lies in ours. Meta's formats (llama2.c, GGUF) have the
 * rotary pairs of a query or key head side by side (2i and 2i + 1), ours as Hugging Face's do (i
 * and i + headDim/2); all other rows keep their places.
 *
 * @param cols length of a row
 * @param headDim rows of a head; 0 where rows keep their places
 */
record RotaryRows(int cols, int headDim) {

  static RotaryRows of(HuggingFaceWeights.Slice slice, LlamaConfig config) {
    boolean turned = slice.name().contains("q_proj") || slice.name().contains("k_proj");
    return new RotaryRows(
        (int) (long) slice.shape().get(slice.shape().size() - 1), turned ? config.headDim() : 0);
  }

  /** Our row for row {@code theirs} of Meta's order. */
  long ours(long theirs) {
    if (headDim == 0) {
      return theirs;
    }
    long row = theirs % headDim;
    return theirs - row + row / 2 + row % 2 * (headDim / 2);
  }

  /**
   * Puts whole rows of Meta's order to their places.
   *
   * @param floats holds {@code count} elements from {@code floats[first]} on
   * @param from first of them in their matrix
   * @param offset of our matrix among the parameters
   */
  void put(float[] floats, int first, long from, int count, WeightSink parameters, long offset) {
    if (headDim == 0) {
      parameters.put(offset + from, floats, first, count);
      return;
    }
    for (int at = 0; at < count; at += cols) {
      parameters.put(offset + ours((from + at) / cols) * cols, floats, first + at, cols);
    }
  }

  /** Their row {@code theirs} of our matrix. */
  void get(FloatPointer parameters, long offset, long theirs, float[] row) {
    Floats.get(parameters, offset + ours(theirs) * cols, row, cols);
  }
}
