package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;
import jdk.internal.vm.vector.VectorSupport;
import org.bytedeco.javacpp.indexer.FloatRawIndexer;

/**
 * Vectors loaded from bare addresses, and stored there. The Vector API of Java 17 reads outside the
 * heap through a ByteBuffer only, and there every load fetches limit and address of the buffer
 * again and checks them: a matrix-vector product then runs at a third of the memory's speed. So
 * this asks for what the Vector API's own loads come down to, {@link VectorSupport#load}, which
 * takes {@code --add-exports=java.base/jdk.internal.vm.vector=ALL-UNNAMED}; without it, and in code
 * that is not compiled yet, floats are read one by one.
 *
 * <p>Nothing is checked: a wrong address ends the process.
 */
final class Memory {
  /** Whether {@link VectorSupport} may be called. */
  static final boolean DIRECT = VectorApi.readsAddresses();

  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final Class<?> FLOAT_VECTOR = FloatVector.zero(LANES).getClass();
  private static final Class<?> INT_VECTOR = IntVector.zero(INTS).getClass();

  /** All of memory as floats, the first at address 0. */
  private static final FloatRawIndexer ALL =
      new FloatRawIndexer(new Buffer.Address().at(0).capacity(Long.MAX_VALUE / Float.BYTES));

  private Memory() {}

  static {
    if (!DIRECT) {
      System.getLogger(Memory.class.getName())
          .log(
              System.Logger.Level.WARNING,
              "decoding runs many times slower, training a little: start Java with"
                  + " --add-exports=java.base/jdk.internal.vm.vector=ALL-UNNAMED");
    }
  }

  /**
   * @param address a multiple of 4
   */
  static float get(long address) {
    return ALL.get(address / Float.BYTES);
  }

  /** As many floats as a vector has. */
  static FloatVector floats(long address) {
    return DIRECT ? Direct.floats(address) : floatsOneByOne(address);
  }

  /** Writes all lanes. Only where {@link #DIRECT}. */
  static void store(long address, FloatVector vector) {
    Direct.store(address, vector);
  }

  /** As many ints as a vector has. */
  static IntVector ints(long address) {
    return DIRECT ? Direct.ints(address) : intsOneByOne(address);
  }

  static FloatVector floatsOneByOne(long address) {
    float[] values = new float[WIDTH];
    for (int i = 0; i < WIDTH; i++) {
      values[i] = get(address + (long) i * Float.BYTES);
    }
    return FloatVector.fromArray(LANES, values, 0);
  }

  static void storeOneByOne(long address, FloatVector vector) {
    for (int i = 0; i < WIDTH; i++) {
      RawMemory.set(address + (long) i * Float.BYTES, vector.lane(i));
    }
  }

  static IntVector intsOneByOne(long address) {
    int[] values = new int[WIDTH];
    for (int i = 0; i < WIDTH; i++) {
      values[i] = Float.floatToRawIntBits(get(address + (long) i * Float.BYTES));
    }
    return IntVector.fromArray(INTS, values, 0);
  }

  /** Apart, because a JVM without the export cannot link it. */
  @SuppressWarnings({"unchecked", "rawtypes"})
  private static final class Direct {
    private static final VectorSupport.VectorSpecies FLOAT_SPECIES =
        (VectorSupport.VectorSpecies) (Object) LANES;
    private static final VectorSupport.VectorSpecies INT_SPECIES =
        (VectorSupport.VectorSpecies) (Object) INTS;

    static FloatVector floats(long address) {
      VectorSupport.LoadOperation slow = (container, index, species) -> floatsOneByOne(address);
      return (FloatVector)
          VectorSupport.load(
              (Class) FLOAT_VECTOR,
              (Class) float.class,
              WIDTH,
              null,
              address,
              ALL,
              0,
              FLOAT_SPECIES,
              slow);
    }

    static void store(long address, FloatVector vector) {
      VectorSupport.StoreVectorOperation slow =
          (container, index, stored) -> storeOneByOne(address, (FloatVector) stored);
      VectorSupport.store(
          (Class) FLOAT_VECTOR, (Class) float.class, WIDTH, null, address, vector, ALL, 0, slow);
    }

    static IntVector ints(long address) {
      VectorSupport.LoadOperation slow = (container, index, species) -> intsOneByOne(address);
      return (IntVector)
          VectorSupport.load(
              (Class) INT_VECTOR,
              (Class) int.class,
              WIDTH,
              null,
              address,
              ALL,
              0,
              INT_SPECIES,
              slow);
    }
  }
}
