package caravan.model.engine;

import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.javacpp.Loader;

/**
 * Whether oneDNN multiplies matrices in this process. It makes its kernels for the processor at
 * hand, where the pinned OpenBLAS picks one of a list that newer processors are not on (on a Zen 5
 * it takes an SSE kernel, at a fifth of the speed).
 *
 * <p>oneDNN brings OpenMP's threads with it, whose number OpenMP reads from the environment when it
 * is loaded. An engine has its own threads, so that number has to be 1; {@code jobs/caravan} and
 * the executors' environment say so.
 */
final class OneDnn {
  private static final String THREADS = "OMP_NUM_THREADS";

  /** Why not; empty where it does. */
  private static final String OBSTACLE = obstacle();

  private OneDnn() {}

  static {
    if (!OBSTACLE.isEmpty()) {
      System.getLogger(OneDnn.class.getName())
          .log(
              System.Logger.Level.WARNING,
              "matrix products by OpenBLAS, which may be several times slower than oneDNN: {0}",
              OBSTACLE);
    }
  }

  private static String obstacle() {
    String threads = System.getenv(THREADS);
    if (!"1".equals(threads)) {
      return THREADS + " is " + (threads == null ? "not set" : threads) + ", wanted 1";
    }
    try {
      Loader.load(dnnl.class);
      return "";
    } catch (LinkageError e) {
      return "it cannot be loaded: " + e.getMessage();
    }
  }

  /** Says once per process if not. */
  static boolean isUsable() {
    return OBSTACLE.isEmpty();
  }
}
