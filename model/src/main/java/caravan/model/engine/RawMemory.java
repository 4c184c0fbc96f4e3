package caravan.model.engine;

import java.lang.reflect.Field;
import sun.misc.Unsafe;

/**
 * Reads, writes, copies and clears memory outside the heap by address. JavaCPP's own functions make
 * a pointer object for each argument and result, which a training step would do for every token.
 *
 * <p>Nothing is checked: a wrong address ends the process.
 */
final class RawMemory {
  private static final Unsafe UNSAFE = unsafe();

  private RawMemory() {}

  private static Unsafe unsafe() {
    try {
      Field field = Unsafe.class.getDeclaredField("theUnsafe");
      field.setAccessible(true);
      return (Unsafe) field.get(null);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(
          "memory outside the heap: this Java does not offer sun.misc.Unsafe; use OpenJDK 17", e);
    }
  }

  static float get(long address) {
    return UNSAFE.getFloat(address);
  }

  static void set(long address, float value) {
    UNSAFE.putFloat(address, value);
  }

  static void copy(long from, long to, long bytes) {
    UNSAFE.copyMemory(from, to, bytes);
  }

  static void zero(long address, long bytes) {
    UNSAFE.setMemory(address, bytes, (byte) 0);
  }
}
