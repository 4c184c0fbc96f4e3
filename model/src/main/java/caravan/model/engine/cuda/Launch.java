package caravan.model.engine.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;

/**
 * One kernel launch at a time: arguments in the order of the kernel's parameters, then the
 * geometry. Every argument travels in a slot of 8 bytes, its value in the low ones.
 */
final class Launch {
  private static final int SLOTS = 32;
  private static final int REGISTERS = 4;
  private static final int LOCAL_BYTES = 3;

  private final Device device;
  private final long module;
  private final Map<String, Long> functions = new HashMap<>();
  private final Map<String, Integer> allowedShared = new HashMap<>();
  private final ByteBuffer slots =
      ByteBuffer.allocateDirect(SLOTS * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private final long slotsAddress = Driver.addressOf(slots);
  private String kernel;
  private int count;
  private boolean early;

  Launch(Device device, byte[] image) {
    this.device = device;
    this.module = device.module(image);
  }

  Launch of(String name) {
    kernel = name;
    count = 0;
    early = false;
    return this;
  }

  /**
   * The kernel may begin while the one before it runs, where the GPU can do that: it waits for that
   * one's results by itself.
   */
  Launch early() {
    early = device.launchesEarly();
    return this;
  }

  /** An address on the GPU (0 for none), or a 64-bit count. */
  Launch put(long value) {
    slots.putLong(count++ * Long.BYTES, value);
    return this;
  }

  Launch put(int value) {
    return put((long) value);
  }

  Launch put(float value) {
    return put(Float.floatToRawIntBits(value) & 0xffffffffL);
  }

  /**
   * @param sharedBytes dynamic shared memory per block
   */
  void run(long gridX, int gridY, int gridZ, int threads, int sharedBytes) {
    if (gridX > Integer.MAX_VALUE) {
      throw new CudaException("kernel " + kernel + ": got a grid of " + gridX + " blocks");
    }
    long function =
        functions.computeIfAbsent(kernel, name -> Driver.function(device.handle(), module, name));
    if (sharedBytes > allowedShared.getOrDefault(kernel, 0)) {
      Driver.allowShared(device.handle(), function, sharedBytes);
      allowedShared.put(kernel, sharedBytes);
    }
    device.before(kernel);
    device.launched(
        kernel,
        Driver.launch(
            device.handle(),
            function,
            (int) gridX,
            gridY,
            gridZ,
            threads,
            sharedBytes,
            slotsAddress,
            count,
            early));
    device.after();
  }

  /** "registers, local bytes" of a kernel, by what the driver made of it. */
  String resources(String name) {
    long function = Driver.function(device.handle(), module, name);
    return Driver.functionAttribute(device.handle(), function, REGISTERS)
        + " registers, "
        + Driver.functionAttribute(device.handle(), function, LOCAL_BYTES)
        + " bytes of local memory";
  }
}
