package caravan.model.engine.cuda;

import java.util.HashMap;
import java.util.Map;

/**
 * Matrix products of row-major matrices by cuBLASLt. The heuristics choose an algorithm once per
 * shape and alignment.
 */
final class Products implements AutoCloseable {
  private static final int MOST_ALIGNMENT = 256;

  /**
   * D[m, n] = op(A) · op(B), summed over k; a transposed A is stored [k, m], a transposed B [n, k].
   * Strides are elements from one row to the next.
   *
   * @param fp32Output whether D is fp32 although the inputs are bf16
   */
  record Shape(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      int strideA,
      int strideB,
      int strideD,
      boolean fp32Output) {}

  private record Key(Shape shape, int alignA, int alignB, int alignD) {}

  private final Device device;
  private final Precision precision;
  private final Map<Key, Long> plans = new HashMap<>();

  Products(Device device, Precision precision) {
    this.device = device;
    this.precision = precision;
  }

  /** D = alpha · op(A) op(B), plus D where {@code adds}. */
  void multiply(String what, Shape shape, float alpha, long a, long b, boolean adds, long d) {
    Key key = new Key(shape, alignment(a), alignment(b), alignment(d));
    Long plan = plans.get(key);
    if (plan == null) {
      plan = plan(what, key);
      plans.put(key, plan);
    }
    device.before(what);
    float beta = adds ? 1 : 0;
    device.launched(
        "product " + what, Driver.multiply(device.handle(), plan, alpha, a, b, beta, d, d));
    device.after();
  }

  private long plan(String what, Key key) {
    Shape s = key.shape();
    try {
      return Driver.plan(
          device.handle(),
          s.transA(),
          s.transB(),
          s.m(),
          s.n(),
          s.k(),
          s.strideA(),
          s.strideB(),
          s.strideD(),
          precision.half(),
          precision.half() && !s.fp32Output(),
          precision == Precision.TF32,
          key.alignA(),
          key.alignB(),
          key.alignD());
    } catch (CudaException e) {
      throw new CudaException("product " + what + " " + s + ": " + e.getMessage());
    }
  }

  private static int alignment(long address) {
    return (int) Math.min(MOST_ALIGNMENT, Long.lowestOneBit(address));
  }

  @Override
  public void close() {
    plans.values().forEach(Driver::freePlan);
    plans.clear();
  }
}
