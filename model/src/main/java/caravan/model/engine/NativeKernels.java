package caravan.model.engine;

import java.io.IOException;
import java.io.InputStream;

/**
 * What the next token takes, compiled from C for processors with AVX-512 (libcaravancpu.so, sources
 * in src/main/c/cpu): the same bits as in Java, sooner. It takes addresses and checks nothing;
 * {@link Kernels} chooses.
 */
final class NativeKernels {
  private static final String LIBRARY = "libcaravancpu.so";

  /** The vectors that sums are made in. */
  private static final int FLOATS_PER_VECTOR = 16;

  /** Why not; empty where it does. */
  private static final String OBSTACLE = obstacle();

  private NativeKernels() {}

  static {
    if (!OBSTACLE.isEmpty()) {
      System.getLogger(NativeKernels.class.getName())
          .log(
              System.Logger.Level.WARNING,
              "decoding by the Vector API alone, with packed weights about a third slower and the first"
                  + " tokens several times: {0}",
              OBSTACLE);
    }
  }

  private static String obstacle() {
    if (Buffer.WIDTH != FLOATS_PER_VECTOR) {
      return "this JVM has vectors of %d bits, wanted 512".formatted(Buffer.WIDTH * Float.SIZE);
    }
    InputStream resource = NativeKernels.class.getResourceAsStream(LIBRARY);
    if (resource == null) {
      return "the build found no C compiler";
    }
    try {
      NativeLibrary.load(resource);
      return usable() ? "" : "the processor lacks AVX-512 BW, DQ or VL";
    } catch (IOException | LinkageError e) {
      return "%s cannot be loaded: %s".formatted(LIBRARY, e.getMessage());
    }
  }

  /** Says once per process if not. */
  static boolean isUsable() {
    return OBSTACLE.isEmpty();
  }

  private static native boolean usable();

  /** Rows [from, to) of y = W x (+ y); see {@link MatrixVector#f32}. */
  static native void f32(
      long w, int stride, int cols, long x, long y, int from, int to, boolean adds);

  /** See {@link MatrixVector#bf16}. */
  static native void bf16(long w, int stride, long x, long y, int from, int to, boolean adds);

  /** See {@link MatrixVector#q8}. */
  static native void q8(
      long w, long scales, int stride, long x, long y, int from, int to, boolean adds);

  /** See {@link MatrixVector#arrange}. */
  static native void arrange(int parts, long x, int cols, int stride, long arranged);

  /** One row; see {@link RmsNorm#forward}. */
  static native void normalize(long x, long gain, long out, int width, float epsilon);

  /** One head; see {@link Rope#rotate}. */
  static native void rotate(long head, long cos, long sin, int half);

  /**
   * See {@link SwiGlu#forward}.
   *
   * @param count a multiple of a vector's floats
   */
  static native void gate(long gates, long ups, long out, int count);

  /**
   * See {@link CachedAttention}.
   *
   * @param stride floats from one key to the next, and from one value to the next
   * @param scaled [dim] written
   * @param scores [keys, up to a whole vector] written
   */
  static native void attend(
      long query,
      float scale,
      long keysAt,
      long valuesAt,
      int stride,
      int keys,
      int dim,
      long scaled,
      long scores,
      long out);
}
