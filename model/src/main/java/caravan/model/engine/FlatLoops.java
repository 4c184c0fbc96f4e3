package caravan.model.engine;

/**
 * An optimizer's loops over floats at bare addresses: by vectors where Java offers them, else one
 * by one, with the same results but for the order of sums.
 *
 * <p>Nothing is checked: a wrong address ends the process.
 */
public final class FlatLoops {
  private static final boolean VECTORS = VectorApi.isPresent() && VectorApi.readsAddresses();

  private FlatLoops() {}

  public static float get(long address) {
    return RawMemory.get(address);
  }

  public static void set(long address, float value) {
    RawMemory.set(address, value);
  }

  public static void zero(long address, long floats) {
    RawMemory.zero(address, floats * Float.BYTES);
  }

  /** Σ g². */
  public static double squares(long g, int count) {
    int vectorEnd = VECTORS ? FlatVectors.whole(count) : 0;
    double total = vectorEnd > 0 ? FlatVectors.squares(g, vectorEnd) : 0;
    for (int i = vectorEnd; i < count; i++) {
      float x = get(g + (long) i * Float.BYTES);
      total += (double) x * x;
    }
    return total;
  }

  /**
   * m = b1·m + c1·g, v = b2·v + c2·g², g = rate · m / (√v · root + ε), with g first multiplied by
   * scale.
   */
  public static void adamW(
      long g,
      long m,
      long v,
      int count,
      float scale,
      float rate,
      float root,
      float b1,
      float b2,
      float c1,
      float c2,
      float epsilon) {
    int vectorEnd = VECTORS ? FlatVectors.whole(count) : 0;
    if (vectorEnd > 0) {
      FlatVectors.adamW(g, m, v, vectorEnd, scale, rate, root, b1, b2, c1, c2, epsilon);
    }
    for (int i = vectorEnd; i < count; i++) {
      long at = (long) i * Float.BYTES;
      float gradient = get(g + at) * scale;
      float first = get(m + at) * b1 + gradient * c1;
      float second = get(v + at) * b2 + gradient * gradient * c2;
      set(m + at, first);
      set(v + at, second);
      set(g + at, first * rate / ((float) Math.sqrt(second) * root + epsilon));
    }
  }
}
