package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every product against three loops, with rows further apart than they are long. */
class GemmTest {
  private static final int GAP = 5;
  private static final float ALPHA = 0.5f;

  private interface Entry {
    float at(int row, int column);
  }

  private static Buffer random(int rows, int stride, long seed) {
    Random random = new Random(seed);
    Buffer buffer = Buffer.allocate((long) rows * stride);
    for (int i = 0; i < rows * stride; i++) {
      buffer.set(i, random.nextFloat() - 0.5f);
    }
    return buffer;
  }

  private static void assertProduct(
      Buffer c, Buffer before, int m, int n, int k, float beta, Entry a, Entry b) {
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n + GAP; j++) {
        int at = i * (n + GAP) + j;
        double sum = 0;
        for (int l = 0; l < k; l++) {
          sum += (double) a.at(i, l) * b.at(l, j < n ? j : 0);
        }
        float wanted = j < n ? (float) (ALPHA * sum + beta * before.get(at)) : before.get(at);
        assertThat(c.get(at)).as("row %d, column %d", i, j).isCloseTo(wanted, within(1e-5f));
      }
    }
  }

  @ParameterizedTest(name = "oneDNN {0}: {1} x {2} x {3}, beta {4}")
  @CsvSource({
    "true,  1,  7,   9,  0", "false, 1,  7,   9,  0",
    "true,  1,  7,   9,  1", "false, 1,  7,   9,  1",
    "true,  33, 50,  19, 0", "false, 33, 50,  19, 0",
    "true,  64, 129, 48, 1", "false, 64, 129, 48, 1",
  })
  void products_equal_three_loops(boolean oneDnn, int m, int n, int k, float beta) {
    Gemm gemm = new Gemm(oneDnn);
    int lda = Math.max(m, k) + GAP;
    int ldb = Math.max(n, k) + GAP;
    int ldc = n + GAP;
    try (Buffer a = random(Math.max(m, k), lda, 1);
        Buffer b = random(Math.max(n, k), ldb, 2);
        Buffer before = random(m, ldc, 3);
        Buffer c = random(m, ldc, 3)) {
      gemm.timesTransposed(
          m, n, k, ALPHA, a.address(0), lda, b.address(0), ldb, beta, c.address(0), ldc);
      assertProduct(
          c, before, m, n, k, beta, (i, l) -> a.get(i * lda + l), (l, j) -> b.get(j * ldb + l));
      Buffer.copy(before.address(0), c.address(0), (long) m * ldc);
      gemm.times(m, n, k, ALPHA, a.address(0), lda, b.address(0), ldb, beta, c.address(0), ldc);
      assertProduct(
          c, before, m, n, k, beta, (i, l) -> a.get(i * lda + l), (l, j) -> b.get(l * ldb + j));
      Buffer.copy(before.address(0), c.address(0), (long) m * ldc);
      gemm.transposedTimes(
          m, n, k, ALPHA, a.address(0), lda, b.address(0), ldb, beta, c.address(0), ldc);
      assertProduct(
          c, before, m, n, k, beta, (i, l) -> a.get(l * lda + i), (l, j) -> b.get(l * ldb + j));
    }
  }

  /** The build sets OMP_NUM_THREADS to 1, so nothing stands in its way here. */
  @Test
  void oneDnn_is_what_multiplies_here() {
    assertThat(OneDnn.isUsable()).isTrue();
  }
}
