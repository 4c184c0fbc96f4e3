package caravan.model.engine;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Floats outside the Java heap, seen at once by the JDK's Vector API (through a ByteBuffer) and by
 * BLAS (through an address). Own memory is aligned to cache lines, so that a 512-bit load of a row
 * whose width is a multiple of 16 never straddles two of them.
 */
final class Buffer implements AutoCloseable {
  /**
   * The widest float vector of this machine, and the only one used: a second width in the same
   * methods keeps the compiler from knowing either, and costs a factor of five.
   */
  static final VectorSpecies<Float> LANES = FloatVector.SPECIES_PREFERRED;

  static final int WIDTH = LANES.length();

  private static final int CACHE_LINE_BYTES = 64;

  /** A ByteBuffer's index is an int of bytes. */
  private static final long MAX_FLOATS = Integer.MAX_VALUE / Float.BYTES;

  private final FloatPointer owner;
  private final ByteBuffer bytes;
  private final long address;
  private final long length;

  /** The same numbers in bf16, two bytes each, as far as they have been rounded; null for none. */
  private Buffer halves;

  private Buffer(FloatPointer owner, long address, long length) {
    this.owner = owner;
    this.address = address;
    this.length = length;
    this.bytes =
        new Address().at(address).capacity(length).asByteBuffer().order(ByteOrder.nativeOrder());
  }

  /** New memory of {@code length} floats, not cleared. */
  static Buffer allocate(long length) {
    long padded = bytesOf(length) / Float.BYTES;
    if (padded > MAX_FLOATS) {
      throw new IllegalArgumentException(
          "engine buffer: got "
              + length
              + " floats, wanted at most "
              + (MAX_FLOATS - CACHE_LINE_BYTES / Float.BYTES)
              + "; use fewer sequences per batch or shorter ones");
    }
    FloatPointer owner = new FloatPointer(padded);
    long aligned = (owner.address() + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    return new Buffer(owner, aligned, length);
  }

  /** Bytes of memory that {@code length} floats take. */
  static long bytesOf(long length) {
    return length * Float.BYTES + CACHE_LINE_BYTES;
  }

  /** Bytes of memory that {@code length} floats take with room for as many in bf16 beside them. */
  static long bytesWithHalves(long length) {
    return bytesOf(length) + bytesOf((length + 1) / 2);
  }

  /** Bytes of memory that this owns. */
  long bytes() {
    long own = owner == null ? 0 : owner.capacity() * Float.BYTES;
    return own + (halves == null ? 0 : halves.bytes());
  }

  /** New memory of {@code length} floats with room for as many in bf16 beside it. */
  static Buffer allocateWithHalves(long length) {
    Buffer floats = allocate(length);
    floats.halves = allocate((length + 1) / 2);
    return floats;
  }

  /** A window of somebody else's memory; closing it frees nothing. */
  static Buffer view(long address, long length) {
    return new Buffer(null, address, length);
  }

  /** Rows of this many floats start on a vector boundary. */
  static int padded(int width) {
    return (width + WIDTH - 1) / WIDTH * WIDTH;
  }

  float get(int index) {
    return RawMemory.get(address + (long) index * Float.BYTES);
  }

  void set(int index, float value) {
    RawMemory.set(address + (long) index * Float.BYTES, value);
  }

  FloatVector load(int index) {
    return Memory.DIRECT
        ? Memory.floats(address + (long) index * Float.BYTES)
        : FloatVector.fromByteBuffer(LANES, bytes, index << 2, ByteOrder.nativeOrder());
  }

  void store(int index, FloatVector vector) {
    if (Memory.DIRECT) {
      Memory.store(address + (long) index * Float.BYTES, vector);
    } else {
      vector.intoByteBuffer(bytes, index << 2, ByteOrder.nativeOrder());
    }
  }

  /** Address of one float, for BLAS. */
  long address(long index) {
    return address + index * Float.BYTES;
  }

  /** Whether products with this buffer are those of its numbers rounded to bf16. */
  boolean hasHalves() {
    return halves != null;
  }

  /** Address of one number in bf16. */
  long halfAddress(long index) {
    return halves.address + index * Short.BYTES;
  }

  long length() {
    return length;
  }

  static void zero(long address, long floats) {
    RawMemory.zero(address, floats * Float.BYTES);
  }

  static void copy(long from, long to, long floats) {
    Address.copy(from, to, floats);
  }

  void copyTo(float[] target, long from) {
    new Address().at(address(from)).get(target, 0, target.length);
  }

  @Override
  public void close() {
    if (halves != null) {
      halves.close();
    }
    if (owner != null) {
      owner.close();
    }
  }

  /** A pointer that can be moved to any address: one object instead of one per BLAS call. */
  static final class Address extends FloatPointer {
    Address() {
      super((Pointer) null);
    }

    /** Copies floats; needs no Vector API. */
    static void copy(long from, long to, long floats) {
      RawMemory.copy(from, to, floats * Float.BYTES);
    }

    Address at(long address) {
      this.address = address;
      return this;
    }

    @Override
    public Address capacity(long floats) {
      super.capacity(floats);
      return this;
    }
  }
}
