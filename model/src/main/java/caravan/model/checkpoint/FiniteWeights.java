package caravan.model.checkpoint;

import caravan.model.ParameterLayout;

/** Looks for weights that are no numbers, which make everything computed with them one, too. */
public final class FiniteWeights {
  private static final int CHUNK_FLOATS = 1 << 18;

  private FiniteWeights() {}

  /**
   * @param path where the model was read from, for messages
   * @throws IllegalArgumentException when a weight is NaN or infinite
   */
  public static void require(String path, Checkpoint model) {
    float[] chunk = new float[CHUNK_FLOATS];
    for (HuggingFaceWeights.Slice slice :
        HuggingFaceWeights.slices(new ParameterLayout(model.config()))) {
      for (long from = 0; from < slice.length(); from += CHUNK_FLOATS) {
        int count = (int) Math.min(CHUNK_FLOATS, slice.length() - from);
        Floats.get(model.parameters(), slice.offset() + from, chunk, count);
        for (int i = 0; i < count; i++) {
          if (!Float.isFinite(chunk[i])) {
            throw wrong(path, slice, from + i, chunk[i]);
          }
        }
      }
    }
  }

  private static IllegalArgumentException wrong(
      String path, HuggingFaceWeights.Slice slice, long at, float value) {
    long cols = slice.shape().get(slice.shape().size() - 1);
    return new IllegalArgumentException(
        "%s: tensor %s of shape %s holds %s at row %d, column %d, wanted finite numbers: its training diverged, or the file is damaged; take an earlier or another copy"
            .formatted(path, slice.name(), slice.shape(), value, at / cols, at % cols));
  }
}
