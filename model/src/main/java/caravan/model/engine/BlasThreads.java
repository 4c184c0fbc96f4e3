package caravan.model.engine;

import org.bytedeco.openblas.global.openblas_nolapack;

/**
 * OpenBLAS's thread count is one number for the whole process, and ND4J uses the same OpenBLAS.
 * Engines bring their own threads, so while at least one is open the count is 1; the last one to
 * close puts the former count back. ND4J's matrix products are single-threaded in between; its
 * element-wise operations are not affected.
 */
final class BlasThreads {
  private static int openEngines;
  private static int former;

  private BlasThreads() {}

  static synchronized void acquire() {
    if (openEngines++ == 0) {
      former = openblas_nolapack.blas_get_num_threads();
      openblas_nolapack.blas_set_num_threads(1);
    }
  }

  /** ND4J sets the count when it starts, which may be after the engine did. A field read if not. */
  static void confirm() {
    if (openblas_nolapack.blas_get_num_threads() != 1) {
      synchronized (BlasThreads.class) {
        former = openblas_nolapack.blas_get_num_threads();
        openblas_nolapack.blas_set_num_threads(1);
      }
    }
  }

  static synchronized void release() {
    if (--openEngines == 0 && former > 1) {
      openblas_nolapack.blas_set_num_threads(former);
    }
  }
}
