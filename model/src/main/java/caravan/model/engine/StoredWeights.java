package caravan.model.engine;

import caravan.model.ParameterLayout;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;

/** What storing weights in fewer bits does to them. */
public final class StoredWeights {
  private StoredWeights() {}

  /**
   * Gives every matrix the values that it has after being stored as a type and read again; gains of
   * norms stay. Blocks of Q8_0 lie within rows.
   *
   * @param parameters [layout.length()] changed in place
   */
  public static void round(ParameterLayout layout, FloatPointer parameters, WeightType type) {
    if (type == WeightType.F32) {
      return;
    }
    Weights floats = new Weights(layout, parameters);
    for (ParameterLayout.Tensor tensor : layout.tensors()) {
      if (!tensor.isNorm()) {
        round(floats.address(tensor), tensor.rows(), tensor.cols(), type);
      }
    }
  }

  private static void round(long matrix, int rows, int cols, WeightType type) {
    try (BytePointer row = new BytePointer(type.bytes(1, cols))) {
      WeightMatrix stored = new WeightMatrix(type, row.address(), 1, cols);
      for (int r = 0; r < rows; r++) {
        long at = matrix + (long) r * cols * Float.BYTES;
        stored.pack(at, 0, 1);
        stored.copyRow(0, Buffer.view(at, cols), 0);
      }
    }
  }
}
