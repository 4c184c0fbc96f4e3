package caravan.model.train;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The optimizers' loops by the Vector API, in a class of their own: where that is missing, the
 * class is never loaded and plain loops do it, with the same results but for the order of sums.
 */
final class FlatVectors {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int WIDTH_BYTES = SPECIES.vectorByteSize();
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  private FlatVectors() {}

  /** The part of so many bytes that is whole vectors. */
  static int whole(int bytes) {
    return bytes - bytes % WIDTH_BYTES;
  }

  /** Σ g², of the first {@code end} bytes. */
  static double squares(ByteBuffer g, int end) {
    FloatVector sum = FloatVector.zero(SPECIES);
    for (int at = 0; at < end; at += WIDTH_BYTES) {
      FloatVector x = FloatVector.fromByteBuffer(SPECIES, g, at, ORDER);
      sum = x.fma(x, sum);
    }
    // Lane by lane: reduceLanes may add in another order once it is compiled, and repeats must be
    // bit-identical.
    double total = 0;
    for (float lane : sum.toArray()) {
      total += lane;
    }
    return total;
  }

  /** {@link AdamWUpdater}'s formula, for the first {@code end} bytes. */
  static void adamW(
      ByteBuffer g,
      ByteBuffer m,
      ByteBuffer v,
      int end,
      float scale,
      float rate,
      float root,
      float b1,
      float b2,
      float c1,
      float c2,
      float epsilon) {
    for (int at = 0; at < end; at += WIDTH_BYTES) {
      FloatVector gradient = FloatVector.fromByteBuffer(SPECIES, g, at, ORDER).mul(scale);
      FloatVector first =
          FloatVector.fromByteBuffer(SPECIES, m, at, ORDER).mul(b1).add(gradient.mul(c1));
      FloatVector second =
          FloatVector.fromByteBuffer(SPECIES, v, at, ORDER)
              .mul(b2)
              .add(gradient.mul(gradient).mul(c2));
      first.intoByteBuffer(m, at, ORDER);
      second.intoByteBuffer(v, at, ORDER);
      first.mul(rate).div(second.sqrt().mul(root).add(epsilon)).intoByteBuffer(g, at, ORDER);
    }
  }
}
