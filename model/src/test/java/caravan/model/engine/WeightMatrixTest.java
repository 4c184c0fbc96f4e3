package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import java.util.function.Consumer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class WeightMatrixTest {
  private static final int ROWS = 11;

  private static float[] random(int count, long seed) {
    Random random = new Random(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** A packed matrix of {@code floats}, which lies as unevenly as a file may. */
  private static void with(WeightType type, int cols, float[] floats, Consumer<WeightMatrix> test) {
    int rows = floats.length / cols;
    try (BytePointer memory = new BytePointer(type.bytes(rows, cols) + 4);
        FloatPointer source = new FloatPointer(floats)) {
      WeightMatrix matrix = new WeightMatrix(type, memory.address() + 4, rows, cols);
      matrix.pack(source.address(), 0, rows);
      test.accept(matrix);
    }
  }

  private static float[] floats(WeightMatrix matrix) {
    float[] values = new float[matrix.rows() * matrix.cols()];
    try (Buffer row = Buffer.allocate(matrix.cols())) {
      for (int r = 0; r < matrix.rows(); r++) {
        matrix.copyRow(r, row, 0);
        for (int j = 0; j < matrix.cols(); j++) {
          values[r * matrix.cols() + j] = row.get(j);
        }
      }
    }
    return values;
  }

  private static Buffer arranged(WeightType type, float[] x) {
    Buffer arranged = Buffer.allocate(type.stride(x.length));
    try (Buffer buffer = Buffer.allocate(x.length)) {
      for (int i = 0; i < x.length; i++) {
        buffer.set(i, x[i]);
      }
      MatrixVector.arrange(type, buffer, 0, x.length, arranged);
    }
    return arranged;
  }

  @ParameterizedTest(name = "{0}, rows of {1}")
  @CsvSource({
    "F32, 5",
    "F32, 48",
    "F32, 64",
    "F32, 200",
    "BF16, 7",
    "BF16, 32",
    "BF16, 64",
    "BF16, 161",
    "Q8_0, 3",
    "Q8_0, 32",
    "Q8_0, 64",
    "Q8_0, 96",
    "Q8_0, 577"
  })
  void the_product_with_a_vector_is_that_of_the_stored_values(WeightType type, int cols) {
    float[] x = random(cols, 2);
    with(
        type,
        cols,
        random(ROWS * cols, 1),
        matrix -> {
          float[] stored = floats(matrix);
          try (Buffer y = Buffer.allocate(ROWS);
              Buffer v = arranged(type, x)) {
            for (int row = 0; row < ROWS; row++) {
              y.set(row, row);
            }
            matrix.times(v, y, 0, 2, ROWS, true);
            matrix.times(v, y, 0, 0, 2, false);
            for (int row = 0; row < ROWS; row++) {
              double expected = row < 2 ? 0 : row;
              for (int j = 0; j < cols; j++) {
                expected += (double) stored[row * cols + j] * x[j];
              }
              assertThat((double) y.get(row))
                  .isCloseTo(expected, within(2e-6 * Math.sqrt(cols) + 2e-6));
            }
          }
        });
  }

  /** Where the processor or the build has no compiled products, both are Java's. */
  @ParameterizedTest(name = "{0}, rows of {1}")
  @CsvSource({"F32, 5", "F32, 64", "F32, 200", "BF16, 161", "BF16, 768", "Q8_0, 96", "Q8_0, 577"})
  void compiled_products_have_the_bits_of_those_in_java(WeightType type, int cols) {
    with(
        type,
        cols,
        random(ROWS * cols, 7),
        matrix -> {
          try (Buffer x = arranged(type, random(cols, 8));
              Buffer compiled = Buffer.allocate(ROWS + 3);
              Buffer inJava = Buffer.allocate(ROWS + 3)) {
            for (int i = 0; i < ROWS + 3; i++) {
              compiled.set(i, i + 0.1f);
              inJava.set(i, i + 0.1f);
            }
            matrix.times(x, compiled, 3, 1, 6, true);
            matrix.timesInJava(x, inJava, 3, 1, 6, true);
            matrix.times(x, compiled, 3, 6, ROWS, false);
            matrix.timesInJava(x, inJava, 3, 6, ROWS, false);
            for (int i = 0; i < ROWS + 3; i++) {
              assertThat(compiled.get(i)).as("float %d", i).isEqualTo(inJava.get(i));
            }
          }
        });
  }

  @ParameterizedTest
  @EnumSource(WeightType.class)
  void unpacked_rows_meet_an_x_of_the_same_order(WeightType type) {
    int cols = 96;
    float[] x = random(cols, 2);
    with(
        type,
        cols,
        random(ROWS * cols, 1),
        matrix -> {
          try (Buffer y = Buffer.allocate(ROWS);
              Buffer v = arranged(type, x);
              Buffer rows = Buffer.allocate((long) ROWS * matrix.stride())) {
            matrix.times(v, y, 0, 0, ROWS, false);
            matrix.unpack(3, ROWS, rows);
            for (int row = 3; row < ROWS; row++) {
              double sum = 0;
              for (int j = 0; j < matrix.stride(); j++) {
                sum += (double) rows.get((row - 3) * matrix.stride() + j) * v.get(j);
              }
              assertThat((double) y.get(row)).isCloseTo(sum, within(1e-5));
            }
          }
        });
  }

  @Test
  void bf16_is_off_by_at_most_half_of_its_last_bit_and_ties_go_to_even() {
    float[] values = random(64, 3);
    with(
        WeightType.BF16,
        64,
        values,
        matrix -> {
          float[] stored = floats(matrix);
          for (int i = 0; i < 64; i++) {
            assertThat(Math.abs(stored[i] - values[i]))
                .isLessThanOrEqualTo(Math.abs(values[i]) * 0x1p-8f);
          }
        });
    float[] ties = {1 + 0x1p-8f, 1 + 3 * 0x1p-8f, -1 - 0x1p-8f, 0};
    with(
        WeightType.BF16,
        4,
        ties,
        matrix -> assertThat(floats(matrix)).containsExactly(1, 1 + 0x1p-6f, -1, 0));
  }

  @Test
  void q8_0_is_off_by_at_most_half_a_scale_and_keeps_a_quantized_file_as_it_is() {
    float[] values = random(96, 4);
    float[] once = new float[96];
    with(
        WeightType.Q8_0,
        96,
        values,
        matrix -> {
          float[] stored = floats(matrix);
          for (int block = 0; block < 3; block++) {
            float largest = 0;
            for (int i = 32 * block; i < 32 * block + 32; i++) {
              largest = Math.max(largest, Math.abs(values[i]));
            }
            for (int i = 32 * block; i < 32 * block + 32; i++) {
              assertThat(Math.abs(stored[i] - values[i])).isLessThanOrEqualTo(largest / 253);
            }
          }
          System.arraycopy(stored, 0, once, 0, 96);
        });
    with(
        WeightType.Q8_0,
        96,
        once,
        matrix -> assertThat(floats(matrix)).containsExactly(once, within(1e-6f)));
  }

  @Test
  void a_weight_that_is_no_number_is_refused() {
    float[] values = random(64, 5);
    values[40] = Float.NaN;
    assertThatThrownBy(() -> with(WeightType.Q8_0, 64, values, matrix -> {}))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "weights: got NaN in row 0, wanted finite numbers: the model's weights are damaged or"
                + " its training diverged");
  }

  @Test
  void what_is_read_one_by_one_is_what_a_vector_load_reads() {
    float[] values = random(2 * Buffer.WIDTH, 6);
    try (FloatPointer memory = new FloatPointer(values)) {
      long address = memory.address() + 12;
      assertThat(Memory.floatsOneByOne(address)).isEqualTo(Memory.floats(address));
      assertThat(Memory.intsOneByOne(address)).isEqualTo(Memory.ints(address));
      assertThat(Memory.floats(address).lane(1)).isEqualTo(values[4]);
    }
  }
}
