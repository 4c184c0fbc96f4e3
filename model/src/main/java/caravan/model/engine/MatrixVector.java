package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * y = W x for one x, at the speed at which W comes from memory. A row's sum has one order, whatever
 * rows are asked for together: results depend neither on threads nor on the size of a batch.
 *
 * <p>Elements narrower than a float come several to a 32-bit lane and are made floats there by
 * shifts; x is arranged beforehand so that what meets in a lane belongs together.
 */
final class MatrixVector {
  /** In a vector of bytes, the lanes of its second block of 32; none where it holds only one. */
  private static final VectorMask<Float> SECOND_BLOCK = secondBlock();

  private static final int UPPER_HALF = 0xffff0000;

  private static final int BYTES_PER_VECTOR = WIDTH * Float.BYTES;

  private MatrixVector() {}

  private static VectorMask<Float> secondBlock() {
    boolean[] second = new boolean[WIDTH];
    for (int lane = WeightType.BLOCK / Float.BYTES; lane < WIDTH; lane++) {
      second[lane] = true;
    }
    return VectorMask.fromArray(LANES, second, 0);
  }

  /** Elements in a 32-bit lane. */
  static int parts(WeightType type) {
    return switch (type) {
      case F32 -> 1;
      case BF16 -> 2;
      case Q8_0 -> 4;
    };
  }

  /**
   * Copies x in the order that a type of weights wants it, with zeros up to the row's stride.
   *
   * @param arranged [stride] written
   */
  static void arrange(WeightType type, Buffer x, int at, int cols, Buffer arranged) {
    int parts = parts(type);
    // Lane l of a vector has elements l · parts … l · parts + parts − 1: one plane of x for each.
    int group = WIDTH * parts;
    int whole = cols / group * group;
    for (int start = 0; start < whole; start += group) {
      for (int part = 0; part < parts; part++) {
        int to = start + part * WIDTH;
        int from = at + start + part;
        for (int lane = 0; lane < WIDTH; lane++) {
          arranged.set(to + lane, x.get(from + lane * parts));
        }
      }
    }
    for (int i = whole; i < type.stride(cols); i++) {
      int start = i / group * group;
      int lane = i % group / parts;
      arranged.set(start + i % parts * WIDTH + lane, i < cols ? x.get(at + i) : 0);
    }
  }

  /**
   * Rows [from, to) of y = W x (+ y).
   *
   * @param stride floats from one row to the next
   * @param y written from float {@code yAt + from} on
   */
  static void f32(
      long w, int stride, int cols, Buffer x, Buffer y, int yAt, int from, int to, boolean add) {
    long v = x.address(0);
    int fours = cols / (4 * WIDTH) * (4 * WIDTH);
    int bound = LANES.loopBound(cols);
    for (int row = from; row < to; row++) {
      long at = w + (long) row * stride * Float.BYTES;
      FloatVector s0 = FloatVector.zero(LANES);
      FloatVector s1 = s0;
      FloatVector s2 = s0;
      FloatVector s3 = s0;
      int j = 0;
      for (; j < fours; j += 4 * WIDTH) {
        long p = at + 4L * j;
        s0 = Memory.floats(p).fma(Memory.floats(v + 4L * j), s0);
        p += BYTES_PER_VECTOR;
        s1 = Memory.floats(p).fma(Memory.floats(v + 4L * (j + WIDTH)), s1);
        p += BYTES_PER_VECTOR;
        s2 = Memory.floats(p).fma(Memory.floats(v + 4L * (j + 2 * WIDTH)), s2);
        p += BYTES_PER_VECTOR;
        s3 = Memory.floats(p).fma(Memory.floats(v + 4L * (j + 3 * WIDTH)), s3);
      }
      for (; j < bound; j += WIDTH) {
        s0 = Memory.floats(at + 4L * j).fma(Memory.floats(v + 4L * j), s0);
      }
      float sum = Lanes.sum(s0.add(s1).add(s2.add(s3)));
      put(y, yAt + row, sum + rest(at, x, bound, cols), add);
    }
  }

  private static float rest(long row, Buffer x, int from, int cols) {
    float sum = 0;
    for (int j = from; j < cols; j++) {
      sum += Memory.get(row + (long) j * Float.BYTES) * x.get(j);
    }
    return sum;
  }

  /**
   * @param stride elements of a row, a multiple of two vectors
   * @param x arranged for BF16
   */
  static void bf16(long w, int stride, Buffer x, Buffer y, int yAt, int from, int to, boolean add) {
    long v = x.address(0);
    for (int row = from; row < to; row++) {
      long at = w + (long) row * stride * Short.BYTES;
      FloatVector even0 = FloatVector.zero(LANES);
      FloatVector odd0 = even0;
      FloatVector even1 = even0;
      FloatVector odd1 = even0;
      for (int j = 0; j < stride; j += 4 * WIDTH) {
        IntVector a = Memory.ints(at + 2L * j);
        IntVector b = Memory.ints(at + 2L * j + BYTES_PER_VECTOR);
        even0 = lower(a).fma(Memory.floats(v + 4L * j), even0);
        odd0 = upper(a).fma(Memory.floats(v + 4L * (j + WIDTH)), odd0);
        even1 = lower(b).fma(Memory.floats(v + 4L * (j + 2 * WIDTH)), even1);
        odd1 = upper(b).fma(Memory.floats(v + 4L * (j + 3 * WIDTH)), odd1);
      }
      put(y, yAt + row, Lanes.sum(even0.add(odd0).add(even1.add(odd1))), add);
    }
  }

  static FloatVector lower(IntVector pairs) {
    return pairs.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
  }

  static FloatVector upper(IntVector pairs) {
    return pairs.and(UPPER_HALF).reinterpretAsFloats();
  }

  /**
   * @param w bytes
   * @param scales floats, one per 32 bytes
   * @param x arranged for Q8_0
   */
  static void q8(
      long w, long scales, int stride, Buffer x, Buffer y, int yAt, int from, int to, boolean add) {
    long v = x.address(0);
    for (int row = from; row < to; row++) {
      long at = w + (long) row * stride;
      long scale = scales + (long) row * stride / WeightType.BLOCK * Float.BYTES;
      FloatVector sum = FloatVector.zero(LANES);
      for (int j = 0; j < stride; j += BYTES_PER_VECTOR) {
        IntVector quads = Memory.ints(at + j);
        FloatVector block = part(quads, 24).mul(Memory.floats(v + 4L * j));
        block = part(quads, 16).fma(Memory.floats(v + 4L * (j + WIDTH)), block);
        block = part(quads, 8).fma(Memory.floats(v + 4L * (j + 2 * WIDTH)), block);
        block = part(quads, 0).fma(Memory.floats(v + 4L * (j + 3 * WIDTH)), block);
        sum = block.fma(scale(scale + (long) (j / WeightType.BLOCK) * Float.BYTES), sum);
      }
      put(y, yAt + row, Lanes.sum(sum), add);
    }
  }

  /** One signed byte of each lane; {@code left} moves it to the top. */
  static FloatVector part(IntVector quads, int left) {
    IntVector top = left == 0 ? quads : quads.lanewise(VectorOperators.LSHL, left);
    return (FloatVector)
        top.lanewise(VectorOperators.ASHR, 24).convertShape(VectorOperators.I2F, LANES, 0);
  }

  /** The scale of each lane's block. */
  static FloatVector scale(long address) {
    FloatVector first = FloatVector.broadcast(LANES, Memory.get(address));
    return BYTES_PER_VECTOR > WeightType.BLOCK
        ? first.blend(Memory.get(address + Float.BYTES), SECOND_BLOCK)
        : first;
  }

  private static void put(Buffer y, int at, float value, boolean add) {
    y.set(at, add ? y.get(at) + value : value);
  }
}
