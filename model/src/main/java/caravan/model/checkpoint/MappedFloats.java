package caravan.model.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import jdk.incubator.foreign.MemorySegment;
import jdk.incubator.foreign.ResourceScope;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Floats of a local file, in memory without being read: pages come when they are touched, and
 * processes that map one file share them. Writing changes this process's pages alone, not the file.
 * A file that is cut short while it is mapped ends the process; deleting it does no harm.
 *
 * <p>Java 17 maps more than 2 GiB at once by its incubating module jdk.incubator.foreign only.
 */
final class MappedFloats extends FloatPointer {
  private static final String MODULE = "jdk.incubator.foreign";

  /** Unmaps when closed, or with the last pointer into it. */
  private final ResourceScope scope;

  private MappedFloats(MemorySegment segment, long length) {
    super((Pointer) null);
    this.scope = segment.scope();
    this.address = segment.address().toRawLongValue();
    capacity(length);
  }

  /** Whether the JVM was started with the module, on a machine whose floats are the file's. */
  static boolean isPossible() {
    return ModuleLayer.boot().findModule(MODULE).isPresent()
        && ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
  }

  /**
   * @param begin first byte
   * @param length in floats
   */
  static FloatPointer of(Path file, long begin, long length) {
    try {
      return new MappedFloats(
          MemorySegment.mapFile(
              file,
              begin,
              length * Float.BYTES,
              FileChannel.MapMode.PRIVATE,
              ResourceScope.newSharedScope()),
          length);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot map " + file + ": " + e.getMessage(), e);
    }
  }

  @Override
  public void deallocate() {
    if (scope.isAlive()) {
      scope.close();
    }
    setNull();
  }
}
