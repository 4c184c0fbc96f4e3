package caravan.model.engine;

/** A matrix inside a buffer, which can be moved elsewhere. */
final class Matrix {
  private Buffer buffer;
  private int at;
  private int stride;

  Matrix() {}

  Matrix(Buffer buffer, int at, int stride) {
    move(buffer, at, stride);
  }

  /**
   * @param newAt where row 0 starts, in floats
   * @param newStride how far apart rows are, in floats
   */
  void move(Buffer newBuffer, int newAt, int newStride) {
    buffer = newBuffer;
    at = newAt;
    stride = newStride;
  }

  Buffer buffer() {
    return buffer;
  }

  int stride() {
    return stride;
  }

  long row(int row) {
    return buffer.address(at + (long) row * stride);
  }

  int index(int row) {
    return at + row * stride;
  }
}
