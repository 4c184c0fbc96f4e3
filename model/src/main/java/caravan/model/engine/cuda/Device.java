package caravan.model.engine.cuda;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * One GPU: its memory, named by what it is for, and one stream on which everything runs in order.
 * Calls return at once; {@link #synchronize} waits. Not for several threads at a time.
 */
public final class Device implements GpuMemory, AutoCloseable {
  private static final int MULTIPROCESSORS = 16;
  private static final int CAPABILITY_MAJOR = 75;
  private static final int CAPABILITY_MINOR = 76;

  /** Compute capability times ten, and CUDA version of the driver, that graphs can have it from. */
  private static final int EARLY_CAPABILITY = 90;

  private static final int EARLY_DRIVER = 12040;

  /** Asked for, each failing kernel is named at once instead of at the next wait; slow. */
  private static final boolean WAITS = Boolean.getBoolean("caravan.cuda.synchronous");

  private final long gpu;
  private final int index;
  private final String name;
  private final int capability;
  private final int multiprocessors;
  private final boolean launchesEarly;
  private final Map<Long, Part> parts = new LinkedHashMap<>();
  private final Map<ByteBuffer, Boolean> hostBuffers = new IdentityHashMap<>();
  private final List<Long> events = new ArrayList<>();
  private final List<Long> modules = new ArrayList<>();
  private final List<Long> graphs = new ArrayList<>();
  private Profile profile;
  private boolean closed;

  private record Part(String what, long bytes) {}

  private Device(long gpu, int index) {
    this.gpu = gpu;
    this.index = index;
    this.name = Driver.name(gpu);
    this.capability =
        10 * Driver.attribute(gpu, CAPABILITY_MAJOR) + Driver.attribute(gpu, CAPABILITY_MINOR);
    this.multiprocessors = Driver.attribute(gpu, MULTIPROCESSORS);
    this.launchesEarly = capability >= EARLY_CAPABILITY && Driver.driverVersion() >= EARLY_DRIVER;
  }

  /**
   * @param index of the GPU among those that the driver shows to this process
   * @throws IllegalArgumentException when CUDA's libraries or the GPU are missing
   */
  public static Device open(int index) {
    Libraries.require();
    int count = Driver.deviceCount();
    if (index < 0 || index >= count) {
      throw new IllegalArgumentException(
          "engine cuda: got GPU "
              + index
              + ", this process sees GPUs 0 to "
              + (count - 1)
              + "; check CUDA_VISIBLE_DEVICES and Spark's resource addresses");
    }
    return new Device(Driver.open(index), index);
  }

  public String name() {
    return name;
  }

  /** Compute capability times ten: 90 for 9.0. */
  public int capability() {
    return capability;
  }

  @Override
  public int multiprocessors() {
    return multiprocessors;
  }

  /** Whether a kernel can begin while the one before it runs (programmatic dependent launch). */
  boolean launchesEarly() {
    return launchesEarly;
  }

  public long totalMemory() {
    return Driver.memory(gpu, false);
  }

  public long freeMemory() {
    return Driver.memory(gpu, true);
  }

  long handle() {
    return gpu;
  }

  /**
   * New memory, not cleared, aligned to 256 bytes.
   *
   * @param what it is for, as the table of memory shows it
   * @throws CudaException when the GPU has not that much left
   */
  @Override
  public long allocate(String what, long bytes) {
    long address = Driver.allocate(gpu, Math.max(bytes, 1));
    if (address == 0) {
      throw new CudaException(
          "GPU "
              + index
              + " ("
              + name
              + ") is out of memory: wanted "
              + mebibytes(bytes)
              + " for "
              + what
              + ", "
              + mebibytes(freeMemory())
              + " of "
              + mebibytes(totalMemory())
              + " are free; this engine holds "
              + describe()
              + "; use fewer sequences per batch (train.batch-sequences), shorter ones, or"
              + " train.recompute=block");
    }
    parts.put(address, new Part(what, bytes));
    return address;
  }

  @Override
  public void free(long address) {
    if (parts.remove(address) != null) {
      Driver.free(gpu, address);
    }
  }

  /** Bytes by what they are for, in the order in which they were first asked for. */
  public Map<String, Long> memoryByPart() {
    return parts.values().stream()
        .collect(
            Collectors.groupingBy(
                Part::what, LinkedHashMap::new, Collectors.summingLong(Part::bytes)));
  }

  private String describe() {
    return parts.isEmpty()
        ? "nothing"
        : memoryByPart().entrySet().stream()
            .map(part -> part.getKey() + " " + mebibytes(part.getValue()))
            .collect(Collectors.joining(", "));
  }

  private static String mebibytes(long bytes) {
    return (bytes + (1 << 20) - 1) / (1 << 20) + " MiB";
  }

  /** Memory of the host that copies reach without a stop. */
  ByteBuffer allocateHost(long bytes) {
    ByteBuffer buffer = Driver.allocateHost(gpu, bytes).order(java.nio.ByteOrder.nativeOrder());
    hostBuffers.put(buffer, true);
    return buffer;
  }

  void freeHost(ByteBuffer buffer) {
    if (hostBuffers.remove(buffer) != null) {
      Driver.freeHost(gpu, buffer);
    }
  }

  void upload(long to, long fromHost, long bytes) {
    Driver.upload(gpu, to, fromHost, bytes);
  }

  /** The bytes are there after {@link #synchronize}. */
  void download(long toHost, long from, long bytes) {
    Driver.download(gpu, toHost, from, bytes);
  }

  void copy(long to, long from, long bytes) {
    Driver.copy(gpu, to, from, bytes);
  }

  void zero(long address, long bytes) {
    Driver.zero(gpu, address, bytes);
  }

  /**
   * Waits until everything asked for is done.
   *
   * @throws CudaException when something of it failed
   */
  public void synchronize() {
    try {
      Driver.synchronize(gpu);
    } catch (CudaException e) {
      throw new CudaException(
          e.getMessage()
              + "; some kernel before this failed: run again with the system property"
              + " caravan.cuda.synchronous=true, which names it");
    }
  }

  /** Checks the status of a launch, or in a waiting run the launch itself. */
  void launched(String kernel, int status) {
    if (status != 0) {
      throw new CudaException(
          "kernel " + kernel + ": got status " + status + " (" + Driver.statusText(status) + ")");
    }
    if (WAITS) {
      try {
        Driver.synchronize(gpu);
      } catch (CudaException e) {
        throw new CudaException("kernel " + kernel + ": " + e.getMessage());
      }
    }
  }

  /** Loads compiled kernels. */
  long module(byte[] image) {
    long module = Driver.module(gpu, image);
    modules.add(module);
    return module;
  }

  long event() {
    long event = Driver.event(gpu);
    events.add(event);
    return event;
  }

  void record(long event) {
    Driver.record(gpu, event);
  }

  void await(long event) {
    Driver.await(gpu, event);
  }

  float milliseconds(long start, long end) {
    return Driver.milliseconds(gpu, start, end);
  }

  /**
   * Kernels that {@code work} launches, as a graph, which is launched as one; nothing runs yet.
   * Each must have run before: what the driver does at a kernel's first launch cannot be in a
   * graph.
   *
   * @return 0 where each kernel's own time or failure is wanted
   */
  long graph(Runnable work) {
    if (WAITS || profile != null) {
      return 0;
    }
    Driver.beginCapture(gpu);
    try {
      work.run();
    } catch (RuntimeException e) {
      Driver.endCapture(gpu, false);
      throw e;
    }
    long graph = Driver.endCapture(gpu, true);
    graphs.add(graph);
    return graph;
  }

  void launchGraph(long graph) {
    Driver.launchGraph(gpu, graph);
  }

  void freeGraph(long graph) {
    if (graphs.remove(graph)) {
      Driver.freeGraph(gpu, graph);
    }
  }

  /** From now on the time of every kernel and product is taken; null ends it. */
  void profile(Profile newProfile) {
    profile = newProfile;
  }

  void before(String what) {
    if (profile != null) {
      profile.before(what);
    }
  }

  void after() {
    if (profile != null) {
      profile.after();
    }
  }

  /** Frees everything that was allocated through this. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    List.copyOf(parts.keySet()).forEach(this::free);
    List.copyOf(hostBuffers.keySet()).forEach(this::freeHost);
    graphs.forEach(graph -> Driver.freeGraph(gpu, graph));
    events.forEach(event -> Driver.freeEvent(gpu, event));
    modules.forEach(module -> Driver.unload(gpu, module));
    Driver.close(gpu);
  }
}
