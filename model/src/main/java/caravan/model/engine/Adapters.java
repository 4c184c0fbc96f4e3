package caravan.model.engine;

import caravan.model.AdapterLayout;
import caravan.model.AdapterLayout.Adapter;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.AdapterRooms.Room;

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
  private final int rank;
  private final float scale;
  private final AdapterRooms rooms;

  /** See {@link AdapterRooms}. */
  private Buffer dropped;

  private int widest;

  Adapters(AdapterLayout layout) {
    this.rooms = new AdapterRooms(layout);
    this.rank = layout.lora().rank();
    this.scale = layout.lora().scale();
  }

  /** Makes room for a pass over this many tokens. */
  void prepare(int tokens) {
    rooms.prepare(tokens);
    dropped = rooms.dropped();
    widest = rooms.widest();
  }

  /** Bytes that this holds. */
  long bytes() {
    return rooms.bytes();
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
    Room room = rooms.of(matrix);
    if (room == null) {
      return;
    }
    Gemm gemm = worker.gemm;
    int in = matrix.cols();
    if (!dropping.ofAdapters()) {
      low(gemm, x, in, weights.own(room.group().a()), room.group().width(), room, 0, from, to);
    }
    for (int i = 0; i < room.adapters().size(); i++) {
      Adapter adapter = room.adapters().get(i);
      if (dropping.ofAdapters()) {
        drop(dropping, adapter, x, in, from, to);
        low(gemm, dropped, widest, weights.own(adapter.a()), rank, room, i, from, to);
      }
      gemm.timesTransposed(
          to - from,
          adapter.out(),
          rank,
          scale,
          room.low().address(room.at(from, i, rank)),
          room.group().width(),
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
    int in = room.group().a().cols();
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
        room.low().address(room.at(from, first, rank)),
        room.group().width());
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
    Room room = rooms.of(matrix);
    if (room == null) {
      return;
    }
    Gemm gemm = worker.gemm;
    int in = matrix.cols();
    int width = room.group().width();
    for (int i = 0; i < room.adapters().size(); i++) {
      Adapter adapter = room.adapters().get(i);
      long du = room.dLow().address(room.at(from, i, rank));
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
          du,
          width);
      if (dropping.ofAdapters()) {
        long rows = dropped.address((long) from * widest);
        long a = weights.own(adapter.a());
        gemm.times(to - from, in, rank, 1f, du, width, a, in, 0f, rows, widest);
        dropping.adapterInput(adapter, dropped, widest, in, from, to);
        for (int row = from; row < to; row++) {
          gemm.add(in, dropped.address((long) row * widest), dx.address((long) row * in));
        }
      }
    }
    if (!dropping.ofAdapters()) {
      long du = room.dLow().address(room.at(from, 0, rank));
      long rows = dx.address((long) from * in);
      gemm.times(
          to - from, in, width, 1f, du, width, weights.own(room.group().a()), in, 1f, rows, in);
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
    Room room = rooms.of(matrix);
    if (room == null) {
      return;
    }
    // Every worker's rows of du are needed.
    worker.barrier();
    for (int i = 0; i < room.adapters().size(); i++) {
      Adapter adapter = room.adapters().get(i);
      int from = worker.from(adapter.out());
      worker.gemm.transposedTimes(
          worker.to(adapter.out()) - from,
          rank,
          tokens,
          scale,
          dy.address(adapter.firstRow() + from),
          matrix.rows(),
          room.low().address(room.at(0, i, rank)),
          room.group().width(),
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
      int width = room.group().width();
      down(worker, room, 0, width, x, matrix.cols(), gradient, room.group().a(), tokens);
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
    int in = room.group().a().cols();
    int from = worker.from(in);
    worker.gemm.transposedTimes(
        rows,
        worker.to(in) - from,
        tokens,
        1f,
        room.dLow().address(room.at(0, first, rank)),
        room.group().width(),
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
    dropping.adapterInput(adapter, dropped, widest, width, from, to);
  }

  @Override
  public void close() {
    rooms.close();
  }
}
