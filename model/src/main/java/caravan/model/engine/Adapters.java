package caravan.model.engine;

import caravan.model.AdapterLayout;
import caravan.model.AdapterLayout.Adapter;
import caravan.model.AdapterLayout.Group;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Low-rank adapters beside the fused matrices of a frozen base (Hu et al., arXiv 2106.09685): what
 * they add to a projection's result, to the gradient of its input, and their own gradients. With a
 * projection's rows of y and dy, and x̃ = dropout(x):
 *
 * <pre>
 * u  = x̃ Aᵀ       y  += scale · u Bᵀ
 * du = scale · dy B    dx += dropout'(du A)    dA = duᵀ x̃    dB = scale · dyᵀ u
 * </pre>
 *
 * The A of projections that share an input lie one below the other, so that without dropout one
 * product serves all of them. Called by all workers at once, each for its share.
 */
final class Adapters implements AutoCloseable {
  /** The adapters of one fused matrix with room for [tokens, width] of u and of du. */
  private record Room(Group group, Buffer low, Buffer dLow) {}

  private final AdapterLayout layout;
  private final float scale;
  private final Map<Tensor, Room> rooms = new HashMap<>();
  private int capacity;

  /** [tokens, widest] an input with zeros, or the gradient that meets them, a row to a token. */
  private Buffer dropped;

  /** The widest input: rows of one stride, whichever matrix each worker is at. */
  private int widest;

  Adapters(AdapterLayout layout) {
    this.layout = layout;
    this.scale = layout.lora().scale();
  }

  /** Makes room for a pass over this many tokens. */
  void prepare(int tokens) {
    if (tokens > capacity) {
      free();
      allocate(tokens);
    }
  }

  private void allocate(int tokens) {
    Map<Integer, Buffer> shared = new HashMap<>();
    for (int layer = 0; layer < layout.config().layerCount(); layer++) {
      var block = layout.model().block(layer);
      List<Tensor> matrices =
          List.of(block.qkv(), block.attentionOutput(), block.gateUp(), block.down());
      for (int i = 0; i < matrices.size(); i++) {
        Group group = layout.group(matrices.get(i)).orElse(null);
        if (group != null) {
          long floats = (long) tokens * group.width();
          Buffer gradient = shared.computeIfAbsent(i, key -> Buffer.allocate(floats));
          rooms.put(matrices.get(i), new Room(group, Buffer.allocate(floats), gradient));
        }
      }
    }
    widest = rooms.keySet().stream().mapToInt(Tensor::cols).max().orElse(0);
    dropped = layout.lora().dropout() > 0 ? Buffer.allocate((long) tokens * widest) : null;
    capacity = tokens;
  }

  /** y[rows] += scale · x̃[rows] Aᵀ Bᵀ for every adapter of the matrix. */
  void forward(
      Worker worker,
      Weights weights,
      Dropping dropping,
      Tensor matrix,
      Buffer x,
      Buffer y,
      int from,
      int to) {
    Room room = rooms.get(matrix);
    if (room == null) {
      return;
    }
    Gemm gemm = worker.gemm;
    int in = matrix.cols();
    int width = room.group.width();
    if (dropping.ofAdapters()) {
      for (int i = 0; i < room.group.adapters().size(); i++) {
        Adapter adapter = room.group.adapters().get(i);
        drop(dropping, adapter, x, in, from, to);
        low(
            gemm,
            dropped,
            widest,
            weights.own(adapter.a()),
            layout.lora().rank(),
            room,
            i,
            from,
            to);
      }
    } else {
      low(gemm, x, in, weights.own(room.group.a()), width, room, 0, from, to);
    }
    for (int i = 0; i < room.group.adapters().size(); i++) {
      Adapter adapter = room.group.adapters().get(i);
      int rank = layout.lora().rank();
      gemm.timesTransposed(
          to - from,
          adapter.out(),
          rank,
          scale,
          room.low.address((long) from * width + i * rank),
          width,
          weights.own(adapter.b()),
          rank,
          1f,
          y.address((long) from * matrix.rows() + adapter.firstRow()),
          matrix.rows());
    }
  }

  /** Columns of u from adapter {@code first} on: x Aᵀ for {@code columns} rows of A. */
  private void low(
      Gemm gemm,
      Buffer x,
      int stride,
      long a,
      int columns,
      Room room,
      int first,
      int from,
      int to) {
    int in = room.group.a().cols();
    int width = room.group.width();
    gemm.timesTransposed(
        to - from,
        columns,
        in,
        1f,
        x.address((long) from * stride),
        stride,
        a,
        in,
        0f,
        room.low.address((long) from * width + first * layout.lora().rank()),
        width);
  }

  /** du[rows], and what it adds to dx[rows]. */
  void inputGradient(
      Worker worker,
      Weights weights,
      Dropping dropping,
      Tensor matrix,
      Buffer dy,
      Buffer dx,
      int from,
      int to) {
    Room room = rooms.get(matrix);
    if (room == null) {
      return;
    }
    Gemm gemm = worker.gemm;
    int rank = layout.lora().rank();
    int in = matrix.cols();
    int width = room.group.width();
    for (int i = 0; i < room.group.adapters().size(); i++) {
      Adapter adapter = room.group.adapters().get(i);
      long at = (long) from * width + i * rank;
      gemm.times(
          to - from,
          rank,
          adapter.out(),
          scale,
          dy.address((long) from * matrix.rows() + adapter.firstRow()),
          matrix.rows(),
          weights.own(adapter.b()),
          rank,
          0f,
          room.dLow.address(at),
          width);
      if (dropping.ofAdapters()) {
        long a = weights.own(adapter.a());
        long rows = dropped.address((long) from * widest);
        gemm.times(to - from, in, rank, 1f, room.dLow.address(at), width, a, in, 0f, rows, widest);
        dropping.adapterInput(number(adapter), dropped, widest, in, from, to);
        for (int row = from; row < to; row++) {
          gemm.add(in, dropped.address((long) row * widest), dx.address((long) row * in));
        }
      }
    }
    if (!dropping.ofAdapters()) {
      gemm.times(
          to - from,
          in,
          width,
          1f,
          room.dLow.address((long) from * width),
          width,
          weights.own(room.group.a()),
          in,
          1f,
          dx.address((long) from * in),
          in);
    }
  }

  /** dA and dB over all tokens: of B this worker's rows, of A its columns. */
  void weightGradient(
      Worker worker,
      Weights gradient,
      Dropping dropping,
      Tensor matrix,
      Buffer dy,
      Buffer x,
      int tokens) {
    Room room = rooms.get(matrix);
    if (room == null) {
      return;
    }
    // Every worker's rows of du are needed.
    worker.barrier();
    int rank = layout.lora().rank();
    int width = room.group.width();
    for (int i = 0; i < room.group.adapters().size(); i++) {
      Adapter adapter = room.group.adapters().get(i);
      int from = worker.from(adapter.out());
      int to = worker.to(adapter.out());
      worker.gemm.transposedTimes(
          to - from,
          rank,
          tokens,
          scale,
          dy.address(adapter.firstRow() + from),
          matrix.rows(),
          room.low.address(i * rank),
          width,
          gradient.beta,
          gradient.own(adapter.b()) + (long) from * rank * Float.BYTES,
          rank);
      if (dropping.ofAdapters()) {
        worker.barrier();
        drop(dropping, adapter, x, matrix.cols(), worker.from(tokens), worker.to(tokens));
        worker.barrier();
        down(worker, room, i, rank, dropped, widest, gradient, adapter.a(), tokens);
      }
    }
    if (dropping.ofAdapters()) {
      worker.barrier();
    } else {
      down(worker, room, 0, width, x, matrix.cols(), gradient, room.group.a(), tokens);
    }
  }

  /** This worker's columns of dA = duᵀ x for {@code rows} rows from adapter {@code first} on. */
  private void down(
      Worker worker,
      Room room,
      int first,
      int rows,
      Buffer x,
      int stride,
      Weights gradient,
      Tensor a,
      int tokens) {
    int in = room.group.a().cols();
    int from = worker.from(in);
    worker.gemm.transposedTimes(
        rows,
        worker.to(in) - from,
        tokens,
        1f,
        room.dLow.address(first * layout.lora().rank()),
        room.group.width(),
        x.address(from),
        stride,
        gradient.beta,
        gradient.own(a) + (long) from * Float.BYTES,
        in);
  }

  /** dropped[rows] = dropout(x[rows]). */
  private void drop(Dropping dropping, Adapter adapter, Buffer x, int width, int from, int to) {
    for (int row = from; row < to; row++) {
      Buffer.copy(x.address((long) row * width), dropped.address((long) row * widest), width);
    }
    dropping.adapterInput(number(adapter), dropped, widest, width, from, to);
  }

  /** A number of each projection of the model. */
  private static int number(Adapter adapter) {
    return LoraConfig.PROJECTIONS.size() * adapter.layer()
        + LoraConfig.PROJECTIONS.indexOf(adapter.module());
  }

  private void free() {
    rooms.values().stream().map(Room::low).forEach(Buffer::close);
    rooms.values().stream().map(Room::dLow).distinct().forEach(Buffer::close);
    rooms.clear();
    if (dropped != null) {
      dropped.close();
      dropped = null;
    }
  }

  @Override
  public void close() {
    free();
    capacity = 0;
  }
}
