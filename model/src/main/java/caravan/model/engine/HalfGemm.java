package caravan.model.engine;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.dnnl.IntMemoryMap;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.matmul;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.post_ops;
import org.bytedeco.dnnl.primitive_attr;
import org.bytedeco.dnnl.reorder;
import org.bytedeco.dnnl.stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Row-major products of bf16 matrices with sums and results in fp32, by oneDNN's matmul primitive,
 * and the rounding of fp32 to bf16 (to the nearest, ties to even). oneDNN compiles a kernel per
 * shape; each is made at first use and kept. One object per thread: its scratch memory is its own,
 * so it may go from one thread to another, but not be in two at once.
 *
 * <p>Matrices are addresses and row strides as in {@link Gemm}; those of bf16 count two bytes.
 */
final class HalfGemm implements AutoCloseable {
  /** What oneDNN's name of a kernel contains where the processor multiplies bf16 itself. */
  private static final List<String> NATIVE = List.of("avx512_core_bf16", "amx");

  private static final int TRIAL_SIZE = 64;

  private enum Form {
    PLAIN,
    LEFT_TRANSPOSED,
    RIGHT_TRANSPOSED
  }

  /** Of a product. One object serves all look-ups: a step makes hundreds, and none in the heap. */
  private static final class Shape {
    private Form form;
    private int m;
    private int n;
    private int k;
    private int lda;
    private int ldb;
    private int ldc;
    private boolean adds;

    Shape of(Form newForm, int newM, int newN, int newK) {
      form = newForm;
      m = newM;
      n = newN;
      k = newK;
      return this;
    }

    Shape strides(int newLda, int newLdb, int newLdc, boolean newAdds) {
      lda = newLda;
      ldb = newLdb;
      ldc = newLdc;
      adds = newAdds;
      return this;
    }

    Shape copy() {
      return new Shape().of(form, m, n, k).strides(lda, ldb, ldc, adds);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Shape that
          && form == that.form
          && m == that.m
          && n == that.n
          && k == that.k
          && lda == that.lda
          && ldb == that.ldb
          && ldc == that.ldc
          && adds == that.adds;
    }

    @Override
    public int hashCode() {
      int hash = form.ordinal();
      hash = 31 * hash + m;
      hash = 31 * hash + n;
      hash = 31 * hash + k;
      hash = 31 * hash + lda;
      hash = 31 * hash + ldb;
      hash = 31 * hash + ldc;
      return 31 * hash + (adds ? 1 : 0);
    }
  }

  private record Product(matmul primitive, memory a, memory b, memory c, IntMemoryMap arguments) {}

  private record Rounding(long count, reorder primitive, memory floats, memory halves) {}

  private final List<Pointer> owned = new ArrayList<>();
  private final engine cpu = own(new engine(engine.kind.cpu, 0));
  private final stream queue = own(new stream(cpu));
  private final Map<Shape, Product> products = new HashMap<>();
  private final List<Rounding> roundings = new ArrayList<>();
  private final Shape wanted = new Shape();
  private final Buffer.Address left = new Buffer.Address();
  private final Buffer.Address right = new Buffer.Address();
  private final Buffer.Address result = new Buffer.Address();
  private String kernel = "";

  /** Whether bf16 is faster than fp32 here: the processor has instructions for its products. */
  static boolean isNative() {
    return Native.YES;
  }

  private static final class Native {
    static final boolean YES = OneDnn.isUsable() && NATIVE.stream().anyMatch(kernel()::contains);

    private static String kernel() {
      try (HalfGemm trial = new HalfGemm()) {
        int n = TRIAL_SIZE;
        trial.make(new Shape().of(Form.PLAIN, n, n, n).strides(n, n, n, false));
        return trial.kernel;
      }
    }
  }

  /** C[m, n] = A[m, k] · B[n, k]ᵀ (+ C). */
  void timesTransposed(
      int m, int n, int k, long a, int lda, long b, int ldb, boolean adds, long c, int ldc) {
    multiply(wanted.of(Form.RIGHT_TRANSPOSED, m, n, k).strides(lda, ldb, ldc, adds), a, b, c);
  }

  /** C[m, n] = A[m, k] · B[k, n] (+ C). */
  void times(int m, int n, int k, long a, int lda, long b, int ldb, boolean adds, long c, int ldc) {
    multiply(wanted.of(Form.PLAIN, m, n, k).strides(lda, ldb, ldc, adds), a, b, c);
  }

  /** C[m, n] = A[k, m]ᵀ · B[k, n] (+ C). */
  void transposedTimes(
      int m, int n, int k, long a, int lda, long b, int ldb, boolean adds, long c, int ldc) {
    multiply(wanted.of(Form.LEFT_TRANSPOSED, m, n, k).strides(lda, ldb, ldc, adds), a, b, c);
  }

  private void multiply(Shape shape, long a, long b, long c) {
    if (shape.m == 0 || shape.n == 0) {
      return;
    }
    Product product = products.get(shape);
    if (product == null) {
      product = make(shape);
      products.put(shape.copy(), product);
    }
    product.a.set_data_handle(left.at(a));
    product.b.set_data_handle(right.at(b));
    product.c.set_data_handle(result.at(c));
    product.primitive.execute(queue, product.arguments);
  }

  private Product make(Shape s) {
    boolean leftTransposed = s.form == Form.LEFT_TRANSPOSED;
    boolean rightTransposed = s.form == Form.RIGHT_TRANSPOSED;
    memory.desc a = matrix(s.m, s.k, memory.data_type.bf16, s.lda, leftTransposed);
    memory.desc b = matrix(s.k, s.n, memory.data_type.bf16, s.ldb, rightTransposed);
    memory.desc c = matrix(s.m, s.n, memory.data_type.f32, s.ldc, false);
    primitive_attr attributes = own(new primitive_attr());
    // Scratch memory of oneDNN's own would belong to the thread that makes the primitive.
    attributes.set_scratchpad_mode(dnnl.scratchpad_mode.user);
    if (s.adds) {
      post_ops sum = own(new post_ops());
      sum.append_sum();
      attributes.set_post_ops(sum);
    }
    matmul.desc description = own(new matmul.desc(a, b, c));
    matmul.primitive_desc chosen = own(new matmul.primitive_desc(description, attributes, cpu));
    kernel = chosen.impl_info_str().getString();
    memory.desc scratch = own(chosen.scratchpad_desc());
    memory atA = own(new memory(a, cpu, left.at(0)));
    memory atB = own(new memory(b, cpu, right.at(0)));
    memory atC = own(new memory(c, cpu, result.at(0)));
    IntMemoryMap arguments = own(new IntMemoryMap());
    arguments.put(dnnl.DNNL_ARG_SRC, atA);
    arguments.put(dnnl.DNNL_ARG_WEIGHTS, atB);
    arguments.put(dnnl.DNNL_ARG_DST, atC);
    if (scratch.get_size() > 0) {
      BytePointer bytes = own(new BytePointer(scratch.get_size()));
      arguments.put(dnnl.DNNL_ARG_SCRATCHPAD, own(new memory(scratch, cpu, bytes)));
    }
    return new Product(own(new matmul(chosen)), atA, atB, atC, arguments);
  }

  /** Rows of {@code stride} elements, or with rows and columns exchanged. */
  private memory.desc matrix(
      int rows, int columns, memory.data_type type, int stride, boolean transposed) {
    long[] strides = transposed ? new long[] {1, stride} : new long[] {stride, 1};
    return own(new memory.desc(new long[] {rows, columns}, type, strides, false));
  }

  /** Rounds {@code count} floats to bf16. */
  void round(long floats, long halves, long count) {
    if (count == 0) {
      return;
    }
    Rounding rounding = rounding(count);
    rounding.floats.set_data_handle(left.at(floats));
    rounding.halves.set_data_handle(right.at(halves));
    rounding.primitive.execute(queue, rounding.floats, rounding.halves);
  }

  private Rounding rounding(long count) {
    for (int i = 0; i < roundings.size(); i++) {
      if (roundings.get(i).count == count) {
        return roundings.get(i);
      }
    }
    long[] all = {count};
    long[] strides = {1};
    memory.desc from = own(new memory.desc(all, memory.data_type.f32, strides, false));
    memory.desc to = own(new memory.desc(all, memory.data_type.bf16, strides, false));
    memory source = own(new memory(from, cpu, left.at(0)));
    memory target = own(new memory(to, cpu, right.at(0)));
    Rounding made = new Rounding(count, own(new reorder(source, target)), source, target);
    roundings.add(made);
    return made;
  }

  private <P extends Pointer> P own(P pointer) {
    owned.add(pointer);
    return pointer;
  }

  @Override
  public void close() {
    for (int i = owned.size() - 1; i >= 0; i--) {
      owned.get(i).close();
    }
  }
}
