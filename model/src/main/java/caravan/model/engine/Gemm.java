package caravan.model.engine;

import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.openblas.global.openblas_nolapack;

/**
 * Row-major matrix products by oneDNN, or by OpenBLAS where that cannot be used. Matrices are
 * addresses and row strides ({@code ld}), so a head inside a fused projection is a matrix like any
 * other. One object per thread.
 *
 * <p>Every product is {@code C = alpha · A·B + beta · C}; with beta 0 the old C is not read.
 */
final class Gemm implements AutoCloseable {
  private static final int ROW_MAJOR = 101;
  private static final int AS_IS = 111;
  private static final int TRANSPOSED = 112;

  private final boolean oneDnn;
  private final Buffer.Address left = new Buffer.Address();
  private final Buffer.Address right = new Buffer.Address();
  private final Buffer.Address result = new Buffer.Address();

  private HalfGemm halves;
  private PackedProducts packed;

  Gemm() {
    this(OneDnn.isUsable());
  }

  Gemm(boolean oneDnn) {
    this.oneDnn = oneDnn;
  }

  /** C[m, n] = alpha · A[m, k] · B[n, k]ᵀ + beta · C: a projection by weights [out, in]. */
  void timesTransposed(
      int m,
      int n,
      int k,
      float alpha,
      long a,
      int lda,
      long b,
      int ldb,
      float beta,
      long c,
      int ldc) {
    if (m == 1) {
      openblas_nolapack.cblas_sgemv(
          ROW_MAJOR, AS_IS, n, k, alpha, right.at(b), ldb, left.at(a), 1, beta, result.at(c), 1);
    } else {
      multiply(AS_IS, TRANSPOSED, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    }
  }

  /** C[m, n] = alpha · A[m, k] · B[k, n] + beta · C: the gradient of a projection's input. */
  void times(
      int m,
      int n,
      int k,
      float alpha,
      long a,
      int lda,
      long b,
      int ldb,
      float beta,
      long c,
      int ldc) {
    if (m == 1) {
      openblas_nolapack.cblas_sgemv(
          ROW_MAJOR,
          TRANSPOSED,
          k,
          n,
          alpha,
          right.at(b),
          ldb,
          left.at(a),
          1,
          beta,
          result.at(c),
          1);
    } else {
      multiply(AS_IS, AS_IS, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    }
  }

  /** C[m, n] = alpha · A[k, m]ᵀ · B[k, n] + beta · C: the gradient of a projection's weights. */
  void transposedTimes(
      int m,
      int n,
      int k,
      float alpha,
      long a,
      int lda,
      long b,
      int ldb,
      float beta,
      long c,
      int ldc) {
    multiply(TRANSPOSED, AS_IS, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }

  /** y += x over {@code length} floats. */
  void add(int length, long x, long y) {
    openblas_nolapack.cblas_saxpy(length, 1f, left.at(x), 1, result.at(y), 1);
  }

  private void multiply(
      int transA,
      int transB,
      int m,
      int n,
      int k,
      float alpha,
      long a,
      int lda,
      long b,
      int ldb,
      float beta,
      long c,
      int ldc) {
    if (m == 0 || n == 0) {
      return;
    }
    left.at(a);
    right.at(b);
    result.at(c);
    if (oneDnn) {
      int status =
          dnnl.dnnl_sgemm(
              letter(transA),
              letter(transB),
              m,
              n,
              k,
              alpha,
              left,
              lda,
              right,
              ldb,
              beta,
              result,
              ldc);
      if (status != dnnl.dnnl_success) {
        throw new IllegalStateException(
            "oneDNN sgemm of " + m + " × " + n + " × " + k + ": got status " + status);
      }
    } else {
      openblas_nolapack.cblas_sgemm(
          ROW_MAJOR, transA, transB, m, n, k, alpha, left, lda, right, ldb, beta, result, ldc);
    }
  }

  /** Products in bf16, made at first use. */
  HalfGemm halves() {
    if (halves == null) {
      halves = new HalfGemm();
    }
    return halves;
  }

  /** Products with packed weights, made at first use. */
  PackedProducts packed() {
    if (packed == null) {
      packed = new PackedProducts(this);
    }
    return packed;
  }

  /** Bytes of room that products take. */
  long bytes() {
    return packed == null ? 0 : packed.bytes();
  }

  /** Rounds a buffer's floats [from, to) to its bf16 ones, where it has any. */
  void round(Buffer buffer, long from, long to) {
    if (buffer.hasHalves()) {
      halves().round(buffer.address(from), buffer.halfAddress(from), to - from);
    }
  }

  @Override
  public void close() {
    if (halves != null) {
      halves.close();
    }
    if (packed != null) {
      packed.close();
    }
  }

  private static byte letter(int transposition) {
    return (byte) (transposition == TRANSPOSED ? 'T' : 'N');
  }
}
