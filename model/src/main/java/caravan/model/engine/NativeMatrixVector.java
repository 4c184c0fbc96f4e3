package caravan.model.engine;

import java.io.IOException;
import java.io.InputStream;

/**
 * {@link MatrixVector} compiled from C for processors with AVX-512 (libcaravancpu.so, sources in
 * src/main/c/cpu): the same bits sooner, because it asks for memory before it needs it. It takes
 * addresses and checks nothing.
 */
final class NativeMatrixVector {
  private static final String LIBRARY = "libcaravancpu.so";

  /** The vectors that sums are made in. */
  private static final int FLOATS_PER_VECTOR = 16;

  /** Why not; empty where it does. */
  private static final String OBSTACLE = obstacle();

  private NativeMatrixVector() {}

  static {
    if (!OBSTACLE.isEmpty()) {
      System.getLogger(NativeMatrixVector.class.getName())
          .log(
              System.Logger.Level.WARNING,
              "decoding by the Vector API alone, with packed weights about a third slower: {0}",
              OBSTACLE);
    }
  }

  private static String obstacle() {
    if (Buffer.WIDTH != FLOATS_PER_VECTOR) {
      return "this JVM has vectors of %d bits, wanted 512".formatted(Buffer.WIDTH * Float.SIZE);
    }
    InputStream resource = NativeMatrixVector.class.getResourceAsStream(LIBRARY);
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
}
