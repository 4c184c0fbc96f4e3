package caravan.model.engine.cuda;

import java.nio.file.Path;

/** The stand-in for CUDA's libraries (src/test/cpp/driver.cpp): what it counts and can be told. */
final class StandIn {
  private StandIn() {}

  /** Loads it under the name by which the engine opens it too: one library, one state. */
  static void load() {
    System.load(Path.of(System.getProperty("caravan.cuda.libraries"), "libcuda.so.1").toString());
  }

  /** The n-th allocation from now on fails; −1: none. */
  static native void failAllocation(long n);

  /** Launches of this kernel fail; "" for none. */
  static native void failKernel(String name);

  /** Compute capability times ten of devices opened from now on; 90 at first. */
  static native void capability(int value);

  /** Allocations since {@link #failAllocation}. */
  static native long allocations();

  static native long liveBytes();

  /** Contexts, streams, events, plans, pinned buffers ... that exist. */
  static native long liveObjects();

  static native int launches();

  /** Launches of whole graphs. */
  static native int graphs();
}
