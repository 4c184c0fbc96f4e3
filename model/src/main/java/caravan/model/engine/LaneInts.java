package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import java.util.function.BiFunction;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import jdk.internal.vm.vector.VectorSupport;

/** As {@link LaneOps}, on as many ints as a vector has floats. */
final class LaneInts {
  static final VectorSpecies<Integer> LANES_OF_INTS = LANES.withLanes(int.class);
  private static final Class<?> INTS = IntVector.zero(LANES_OF_INTS).getClass();

  private LaneInts() {}

  static IntVector all(int value) {
    return IntVector.broadcast(LANES_OF_INTS, value);
  }

  static IntVector add(IntVector a, IntVector b) {
    return binary(VectorSupport.VECTOR_OP_ADD, a, b, IntVector::add);
  }

  static IntVector sub(IntVector a, IntVector b) {
    return binary(VectorSupport.VECTOR_OP_SUB, a, b, IntVector::sub);
  }

  static IntVector mul(IntVector a, IntVector b) {
    return binary(VectorSupport.VECTOR_OP_MUL, a, b, IntVector::mul);
  }

  static IntVector and(IntVector a, IntVector b) {
    return binary(VectorSupport.VECTOR_OP_AND, a, b, IntVector::and);
  }

  static IntVector xor(IntVector a, IntVector b) {
    return binary(VectorSupport.VECTOR_OP_XOR, a, b, (x, y) -> x.lanewise(VectorOperators.XOR, y));
  }

  /** Bits to the right, zeros from the left. */
  static IntVector shiftRight(IntVector a, int distance) {
    return shift(
        VectorSupport.VECTOR_OP_URSHIFT,
        a,
        distance,
        (v, bits) -> v.lanewise(VectorOperators.LSHR, bits));
  }

  /** All ones where a lane is negative, else all zeros. */
  static IntVector signs(IntVector a) {
    return shift(
        VectorSupport.VECTOR_OP_RSHIFT,
        a,
        Integer.SIZE - 1,
        (v, bits) -> v.lanewise(VectorOperators.ASHR, bits));
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static IntVector shift(
      int operation,
      IntVector a,
      int distance,
      VectorSupport.VectorBroadcastIntOp<IntVector> slow) {
    return (IntVector)
        VectorSupport.broadcastInt(operation, (Class) INTS, int.class, WIDTH, a, distance, slow);
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static IntVector binary(
      int operation, IntVector a, IntVector b, BiFunction<IntVector, IntVector, IntVector> slow) {
    return (IntVector)
        VectorSupport.binaryOp(operation, (Class) INTS, int.class, WIDTH, a, b, slow);
  }
}
