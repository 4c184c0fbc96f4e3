package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import java.util.function.BiFunction;
import java.util.function.Function;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.internal.vm.vector.VectorSupport;

/**
 * Vector operations as what the Vector API's own come down to. Java 17's compiler stops to inline
 * into a method that has grown too large, and each operation of the API brings hundreds of nodes of
 * checks with it: an exponential and a few more are enough, after which every vector becomes an
 * object in the heap. Needs the export that {@link Memory#DIRECT} tells of.
 */
final class LaneOps {
  private static final Class<?> FLOATS = FloatVector.zero(LANES).getClass();
  private static final Class<?> INTS = IntVector.zero(LANES.withLanes(int.class)).getClass();

  private static final FloatVector LOWEST = all(Lanes.LOWEST);
  private static final FloatVector HIGHEST = all(Lanes.HIGHEST);
  private static final FloatVector LOG2_E = all(Lanes.LOG2_E);
  private static final FloatVector ROUND = all(Lanes.ROUND);
  private static final FloatVector LN2_HIGH = all(Lanes.LN2_HIGH);
  private static final FloatVector LN2_LOW = all(Lanes.LN2_LOW);
  private static final FloatVector P0 = all(Lanes.POLYNOMIAL[0]);
  private static final FloatVector P1 = all(Lanes.POLYNOMIAL[1]);
  private static final FloatVector P2 = all(Lanes.POLYNOMIAL[2]);
  private static final FloatVector P3 = all(Lanes.POLYNOMIAL[3]);
  private static final FloatVector P4 = all(Lanes.POLYNOMIAL[4]);
  private static final FloatVector P5 = all(Lanes.POLYNOMIAL[5]);
  private static final FloatVector ONE = all(1f);
  private static final IntVector BIAS =
      IntVector.broadcast(LANES.withLanes(int.class), Lanes.EXPONENT_BIAS - Lanes.ROUND_BITS);

  private LaneOps() {}

  static FloatVector all(float value) {
    return FloatVector.broadcast(LANES, value);
  }

  /** {@link Lanes#expByApi}. */
  static FloatVector exp(FloatVector x) {
    FloatVector bounded = min(max(x, LOWEST), HIGHEST);
    FloatVector shifted = add(mul(bounded, LOG2_E), ROUND);
    FloatVector n = sub(shifted, ROUND);
    FloatVector r = sub(sub(bounded, mul(n, LN2_HIGH)), mul(n, LN2_LOW));
    FloatVector power = fma(P0, r, P1);
    power = fma(power, r, P2);
    power = fma(power, r, P3);
    power = fma(power, r, P4);
    power = fma(power, r, P5);
    power = add(fma(power, mul(r, r), r), ONE);
    return mul(power, powerOfTwo(shifted));
  }

  static FloatVector add(FloatVector a, FloatVector b) {
    return binary(VectorSupport.VECTOR_OP_ADD, a, b, FloatVector::add);
  }

  static FloatVector sub(FloatVector a, FloatVector b) {
    return binary(VectorSupport.VECTOR_OP_SUB, a, b, FloatVector::sub);
  }

  static FloatVector mul(FloatVector a, FloatVector b) {
    return binary(VectorSupport.VECTOR_OP_MUL, a, b, FloatVector::mul);
  }

  static FloatVector div(FloatVector a, FloatVector b) {
    return binary(VectorSupport.VECTOR_OP_DIV, a, b, FloatVector::div);
  }

  static FloatVector max(FloatVector a, FloatVector b) {
    return binary(VectorSupport.VECTOR_OP_MAX, a, b, FloatVector::max);
  }

  static FloatVector min(FloatVector a, FloatVector b) {
    return binary(VectorSupport.VECTOR_OP_MIN, a, b, FloatVector::min);
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  static FloatVector sqrt(FloatVector a) {
    Function<FloatVector, FloatVector> slow = FloatVector::sqrt;
    return (FloatVector)
        VectorSupport.unaryOp(
            VectorSupport.VECTOR_OP_SQRT, (Class) FLOATS, float.class, WIDTH, a, slow);
  }

  /** a · b + c, rounded once. */
  @SuppressWarnings({"unchecked", "rawtypes"})
  static FloatVector fma(FloatVector a, FloatVector b, FloatVector c) {
    VectorSupport.TernaryOperation<FloatVector> slow = (x, y, z) -> x.fma(y, z);
    return (FloatVector)
        VectorSupport.ternaryOp(
            VectorSupport.VECTOR_OP_FMA, (Class) FLOATS, float.class, WIDTH, a, b, c, slow);
  }

  /** 2 to the integer that stands in the lowest bits. */
  @SuppressWarnings({"unchecked", "rawtypes"})
  private static FloatVector powerOfTwo(FloatVector shifted) {
    VectorSupport.VectorBroadcastIntOp<IntVector> slow =
        (v, distance) -> v.lanewise(VectorOperators.LSHL, distance);
    BiFunction<IntVector, IntVector, IntVector> slowAdd = IntVector::add;
    IntVector exponent =
        (IntVector)
            VectorSupport.binaryOp(
                VectorSupport.VECTOR_OP_ADD,
                (Class) INTS,
                int.class,
                WIDTH,
                shifted.reinterpretAsInts(),
                BIAS,
                slowAdd);
    return ((IntVector)
            VectorSupport.broadcastInt(
                VectorSupport.VECTOR_OP_LSHIFT,
                (Class) INTS,
                int.class,
                WIDTH,
                exponent,
                Lanes.MANTISSA_BITS,
                slow))
        .reinterpretAsFloats();
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static FloatVector binary(
      int operation,
      FloatVector a,
      FloatVector b,
      BiFunction<FloatVector, FloatVector, FloatVector> slow) {
    return (FloatVector)
        VectorSupport.binaryOp(operation, (Class) FLOATS, float.class, WIDTH, a, b, slow);
  }
}
