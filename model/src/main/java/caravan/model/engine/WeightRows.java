package caravan.model.engine;

import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Rows of packed weights as floats in their own order, for products in both directions; {@link
 * WeightMatrix#unpack} gives them in the order of lanes, for products with an x of that order.
 *
 * <p>A vector of 32-bit lanes is loaded from where its elements begin, each lane gets the one that
 * holds its element, and shifts it to its top. So up to three quarters of a vector are read beyond
 * the last element: a matrix's memory has a cache line behind it.
 */
final class WeightRows {
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final int UPPER_HALF = 0xffff0000;

  /** Lane i gets the pair, or the quad, that holds element i. */
  private static final VectorShuffle<Integer> PAIRS = VectorShuffle.fromOp(INTS, i -> i / 2);

  private static final VectorShuffle<Integer> QUADS = VectorShuffle.fromOp(INTS, i -> i / 4);

  /** How far element i lies from the top of its lane. */
  private static final IntVector PAIR_SHIFT = shift(2, 16);

  private static final IntVector QUAD_SHIFT = shift(4, 8);

  private WeightRows() {}

  private static IntVector shift(int elements, int bits) {
    int[] shift = new int[WIDTH];
    for (int lane = 0; lane < WIDTH; lane++) {
      shift[lane] = bits * (elements - 1 - lane % elements);
    }
    return IntVector.fromArray(INTS, shift, 0);
  }

  /**
   * @param matrix of BF16 or Q8_0
   * @param target address of [to − from, cols] floats, rows without gaps
   */
  static void unpack(WeightMatrix matrix, int from, int to, long target) {
    int cols = matrix.cols();
    int bound = Buffer.LANES.loopBound(cols);
    for (int row = from; row < to; row++) {
      long at = target + (long) (row - from) * cols * Float.BYTES;
      if (matrix.type() == WeightType.BF16) {
        halves(matrix.row(row), at, bound);
      } else {
        bytes(matrix.row(row), matrix.scales(row), at, bound);
      }
      for (int col = bound; col < cols; col++) {
        RawMemory.set(at + (long) col * Float.BYTES, matrix.element(row, col));
      }
    }
  }

  private static void halves(long row, long target, int count) {
    for (int j = 0; j < count; j += WIDTH) {
      IntVector pairs = Memory.ints(row + 2L * j).rearrange(PAIRS);
      store(
          target + (long) j * Float.BYTES,
          pairs.lanewise(VectorOperators.LSHL, PAIR_SHIFT).and(UPPER_HALF).reinterpretAsFloats());
    }
  }

  private static void bytes(long row, long scales, long target, int count) {
    for (int j = 0; j < count; j += WIDTH) {
      IntVector quads = Memory.ints(row + j).rearrange(QUADS);
      IntVector top = quads.lanewise(VectorOperators.LSHL, QUAD_SHIFT);
      FloatVector values = MatrixVector.part(top, 0);
      float scale = Memory.get(scales + (long) (j / WeightType.BLOCK) * Float.BYTES);
      store(target + (long) j * Float.BYTES, values.mul(scale));
    }
  }

  private static void store(long address, FloatVector vector) {
    if (Memory.DIRECT) {
      Memory.store(address, vector);
    } else {
      Memory.storeOneByOne(address, vector);
    }
  }
}
