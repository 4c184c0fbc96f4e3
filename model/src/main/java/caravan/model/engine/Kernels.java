package caravan.model.engine;

/** What decoding does besides products with weights: compiled where that can be, else in Java. */
final class Kernels {
  private Kernels() {}

  /** See {@link RmsNorm#forward}; the reciprocals are written where it is Java's. */
  static void normalize(
      Buffer x, Buffer gain, Buffer reciprocal, Buffer out, int from, int to, float epsilon) {
    if (!NativeKernels.isUsable()) {
      RmsNorm.forward(x, gain, reciprocal, out, from, to, epsilon);
      return;
    }
    int width = (int) gain.length();
    for (int row = from; row < to; row++) {
      long at = (long) row * width;
      NativeKernels.normalize(x.address(at), gain.address(0), out.address(at), width, epsilon);
    }
  }

  /** See {@link MatrixVector#arrange}. */
  static void arrange(WeightType type, Buffer x, int at, int cols, Buffer arranged) {
    if (NativeKernels.isUsable()) {
      int parts = MatrixVector.parts(type);
      NativeKernels.arrange(parts, x.address(at), cols, type.stride(cols), arranged.address(0));
    } else {
      MatrixVector.arrange(type, x, at, cols, arranged);
    }
  }

  /** See {@link SwiGlu#forward}: a part of a row. */
  static void gate(Buffer gateUp, int gateAt, int upAt, Buffer out, int at, int count) {
    int whole = NativeKernels.isUsable() ? Buffer.LANES.loopBound(count) : 0;
    if (whole > 0) {
      NativeKernels.gate(gateUp.address(gateAt), gateUp.address(upAt), out.address(at), whole);
    }
    if (whole < count) {
      SwiGlu.forward(gateUp, gateAt + whole, upAt + whole, out, at + whole, count - whole);
    }
  }
}
