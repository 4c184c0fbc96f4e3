package caravan.model.engine.cuda;

import java.nio.ByteBuffer;

/**
 * The functions of libcaravancuda.so (sources in src/main/c). Handles are addresses; a failed call
 * throws {@link CudaException}. {@link Libraries} loads it and opens CUDA's own libraries.
 */
final class Driver {
  private Driver() {}

  /** Each opens the first of the paths that can be opened; null, or why none can be used. */
  static native String openDriver(String[] paths);

  static native String openCompiler(String[] paths);

  static native String openProducts(String[] paths);

  /** Opens a library that another one opens later by its bare name. */
  static native boolean preload(String path);

  static native int deviceCount();

  /** 1000 · major + 10 · minor of the CUDA version that the driver supports. */
  static native int driverVersion();

  /** 1000 · major + 10 · minor of NVRTC. */
  static native int compilerVersion();

  static native long open(int ordinal);

  static native void close(long gpu);

  static native String name(long gpu);

  static native int attribute(long gpu, int attribute);

  /** Bytes that are free, or all bytes. */
  static native long memory(long gpu, boolean wantsFree);

  /** 0 when that much is not left. */
  static native long allocate(long gpu, long bytes);

  static native void free(long gpu, long address);

  /** Memory of the host that copies reach without a stop. */
  static native ByteBuffer allocateHost(long gpu, long bytes);

  static native void freeHost(long gpu, ByteBuffer buffer);

  static native long addressOf(ByteBuffer buffer);

  static native void upload(long gpu, long to, long from, long bytes);

  static native void download(long gpu, long to, long from, long bytes);

  static native void copy(long gpu, long to, long from, long bytes);

  static native void zero(long gpu, long address, long bytes);

  static native void synchronize(long gpu);

  static native byte[] compile(String name, String source, String[] options);

  static native long module(long gpu, byte[] image);

  static native void unload(long gpu, long module);

  static native long function(long gpu, long module, String name);

  static native int functionAttribute(long gpu, long function, int attribute);

  static native void allowShared(long gpu, long function, int bytes);

  static native int launch(
      long gpu,
      long function,
      int gridX,
      int gridY,
      int gridZ,
      int threads,
      int sharedBytes,
      long slots,
      int count,
      boolean early);

  /** Until {@link #endCapture} the stream's work is not done but noted. */
  static native void beginCapture(long gpu);

  /** What was noted as a graph that can be launched; 0 when it is not wanted. */
  static native long endCapture(long gpu, boolean wanted);

  static native void launchGraph(long gpu, long graph);

  static native void freeGraph(long gpu, long graph);

  static native String statusText(int status);

  static native long event(long gpu);

  static native void freeEvent(long gpu, long event);

  static native void record(long gpu, long event);

  static native void await(long gpu, long event);

  static native float milliseconds(long gpu, long start, long end);

  static native long plan(
      long gpu,
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      int strideA,
      int strideB,
      int strideD,
      boolean inputs16,
      boolean output16,
      boolean tf32,
      int alignA,
      int alignB,
      int alignD);

  static native void freePlan(long plan);

  static native int multiply(
      long gpu, long plan, float alpha, long a, long b, float beta, long c, long d);
}
