package caravan.model.engine;

import static caravan.model.engine.Buffer.WIDTH;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.ShortPointer;

/**
 * A weight matrix [rows, cols] outside the heap in one of the {@link WeightType}s: what computes
 * with it while it stays as it is. It does not own its memory.
 */
public final class WeightMatrix {
  private static final int MAX_BYTE = 127;
  private static final int HALF_OF_LOWER = 0x7fff;

  private final WeightType type;
  private final int rows;
  private final int cols;

  /** Elements from one row to the next. */
  private final int stride;

  private final long elements;

  /** Q8_0: one float per block, behind the elements. */
  private final long scales;

  /**
   * @param address of {@code type.bytes(rows, cols)} bytes; a multiple of 4, better of 64
   */
  public WeightMatrix(WeightType type, long address, int rows, int cols) {
    this.type = type;
    this.rows = rows;
    this.cols = cols;
    this.stride = type.stride(cols);
    this.elements = address;
    this.scales = address + (long) rows * stride;
  }

  public WeightType type() {
    return type;
  }

  public int rows() {
    return rows;
  }

  public int cols() {
    return cols;
  }

  /** Floats of one row as {@link #unpack} writes it. */
  public int stride() {
    return stride;
  }

  /** Address of one row's elements. */
  long row(long row) {
    long bytes =
        switch (type) {
          case F32 -> Float.BYTES;
          case BF16 -> Short.BYTES;
          case Q8_0 -> 1;
        };
    return elements + row * stride * bytes;
  }

  /** Q8_0: address of a row's scales. */
  long scales(long row) {
    return scales + row * stride / WeightType.BLOCK * Float.BYTES;
  }

  /**
   * Rows [from, to) of y = W x (+ y).
   *
   * @param x as {@link MatrixVector#arrange} makes it
   */
  void times(Buffer x, Buffer y, int yAt, int from, int to, boolean add) {
    if (NativeKernels.isUsable()) {
      timesCompiled(x.address(0), y.address(yAt), from, to, add);
    } else {
      timesInJava(x, y, yAt, from, to, add);
    }
  }

  private void timesCompiled(long x, long y, int from, int to, boolean add) {
    switch (type) {
      case F32 -> NativeKernels.f32(elements, stride, cols, x, y, from, to, add);
      case BF16 -> NativeKernels.bf16(elements, stride, x, y, from, to, add);
      case Q8_0 -> NativeKernels.q8(elements, scales, stride, x, y, from, to, add);
    }
  }

  /** The same bits. */
  void timesInJava(Buffer x, Buffer y, int yAt, int from, int to, boolean add) {
    switch (type) {
      case F32 -> MatrixVector.f32(elements, stride, cols, x, y, yAt, from, to, add);
      case BF16 -> MatrixVector.bf16(elements, stride, x, y, yAt, from, to, add);
      case Q8_0 -> MatrixVector.q8(elements, scales, stride, x, y, yAt, from, to, add);
    }
  }

  /**
   * Writes rows [from, to) as floats, each in the order of {@link MatrixVector#arrange} and as long
   * as {@link #stride}: a product with an x that was arranged likewise is the same.
   */
  void unpack(int from, int to, Buffer target) {
    int bytesPerVector = WIDTH * Float.BYTES;
    for (int row = from; row < to; row++) {
      int at = (row - from) * stride;
      switch (type) {
        case F32 -> Buffer.copy(row(row), target.address(at), stride);
        case BF16 -> {
          for (int j = 0; j < stride; j += 2 * WIDTH) {
            var pairs = Memory.ints(row(row) + 2L * j);
            target.store(at + j, MatrixVector.lower(pairs));
            target.store(at + j + WIDTH, MatrixVector.upper(pairs));
          }
        }
        case Q8_0 -> {
          long scale = scales(row);
          for (int j = 0; j < stride; j += bytesPerVector) {
            var quads = Memory.ints(row(row) + j);
            var s = MatrixVector.scale(scale + (long) (j / WeightType.BLOCK) * Float.BYTES);
            for (int part = 0; part < Float.BYTES; part++) {
              target.store(at + j + part * WIDTH, MatrixVector.part(quads, 24 - 8 * part).mul(s));
            }
          }
        }
      }
    }
  }

  /** One row as floats in natural order: an embedding. */
  void copyRow(int row, Buffer target, int at) {
    if (type == WeightType.F32) {
      Buffer.copy(row(row), target.address(at), cols);
      return;
    }
    for (int j = 0; j < cols; j++) {
      target.set(at + j, element(row, j));
    }
  }

  float element(int row, int col) {
    if (type == WeightType.BF16) {
      int pair = Float.floatToRawIntBits(Memory.get(row(row) + col / 2 * 4L));
      return Float.intBitsToFloat((col % 2 == 0 ? pair : pair >>> 16) << 16);
    }
    int quad = Float.floatToRawIntBits(Memory.get(row(row) + col / 4 * 4L));
    long block = ((long) row * stride + col) / WeightType.BLOCK;
    return (byte) (quad >> 8 * (col % 4)) * Memory.get(scales + block * Float.BYTES);
  }

  /**
   * Fills rows [from, to) from floats.
   *
   * @param floats address of the whole matrix, rows without gaps
   * @throws IllegalStateException for Q8_0 when an element is not a finite number
   */
  public void pack(long floats, int from, int to) {
    float[] row = new float[stride];
    Buffer.Address source = new Buffer.Address();
    for (int r = from; r < to; r++) {
      source.at(floats + (long) r * cols * Float.BYTES).get(row, 0, cols);
      packRow(row, r);
    }
  }

  /**
   * Fills rows [from, to) from floats that lie from {@code floats[at]} on.
   *
   * @throws IllegalStateException for Q8_0 when an element is not a finite number
   */
  public void pack(float[] floats, int at, int from, int to) {
    float[] row = new float[stride];
    for (int r = from; r < to; r++) {
      System.arraycopy(floats, at + (r - from) * cols, row, 0, cols);
      packRow(row, r);
    }
  }

  private void packRow(float[] row, int r) {
    switch (type) {
      case F32 -> new Buffer.Address().at(row(r)).put(row, 0, cols);
      case BF16 -> new ShortPointer(new Buffer.Address().at(row(r))).put(halves(row));
      case Q8_0 -> packBlocks(row, r);
    }
  }

  /** Rounds to nearest even; not-a-number stays one. */
  private static short[] halves(float[] row) {
    short[] halves = new short[row.length];
    for (int i = 0; i < row.length; i++) {
      int bits = Float.floatToIntBits(row[i]);
      int rounded = bits + HALF_OF_LOWER + (bits >>> 16 & 1);
      halves[i] = (short) (row[i] != row[i] ? bits >>> 16 : rounded >>> 16);
    }
    return halves;
  }

  private void packBlocks(float[] row, int r) {
    byte[] bytes = new byte[stride];
    float[] blockScales = new float[stride / WeightType.BLOCK];
    for (int block = 0; block < blockScales.length; block++) {
      int start = block * WeightType.BLOCK;
      float largest = 0;
      for (int i = start; i < start + WeightType.BLOCK; i++) {
        largest = Math.max(largest, Math.abs(row[i]));
      }
      if (!Float.isFinite(largest)) {
        throw new IllegalStateException(
            "weights: got "
                + largest
                + " in row "
                + r
                + ", wanted finite numbers: the model's weights are damaged or its training"
                + " diverged");
      }
      blockScales[block] = largest / MAX_BYTE;
      float inverse = largest == 0 ? 0 : MAX_BYTE / largest;
      for (int i = start; i < start + WeightType.BLOCK; i++) {
        bytes[i] = (byte) Math.round(row[i] * inverse);
      }
    }
    new BytePointer(new Buffer.Address().at(row(r))).put(bytes, 0, stride);
    long at = scales + (long) r * blockScales.length * Float.BYTES;
    new Buffer.Address().at(at).put(blockScales, 0, blockScales.length);
  }
}
