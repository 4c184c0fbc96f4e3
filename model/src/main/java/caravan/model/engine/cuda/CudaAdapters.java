package caravan.model.engine.cuda;

import caravan.model.AdapterLayout;
import caravan.model.AdapterLayout.Adapter;
import caravan.model.AdapterLayout.Group;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.DropoutKeys;
import caravan.model.engine.cuda.Products.Shape;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Low-rank adapters beside the fused matrices of a frozen base on the GPU (Hu et al., arXiv
 * 2106.09685): what they add to a projection's result, to the gradient of its input, and their own
 * gradients. With a projection's rows of y and dy, and x̃ = dropout(x):
 *
 * <pre>
 * u  = x̃ Aᵀ            y  += scale · u Bᵀ
 * du = scale · dy B    dx += dropout'(du A)    dA = duᵀ x̃    dB = scale · dyᵀ u
 * </pre>
 *
 * The A of projections that share an input lie one below the other: without dropout one product
 * serves all of them.
 */
final class CudaAdapters {
  /** Rows of u start at multiples of so many elements, which tensor cores want. */
  private static final int ALIGNMENT = 8;

  private static final String WORK = "adapters' activations";

  /** The adapters of one fused matrix with u: real [tokens, stride]. */
  private record Room(Group group, int stride, long low) {}

  private final Device device;
  private final AdapterLayout layout;
  private final DeviceParameters trained;
  private final Products products;
  private final Kernels kernels;
  private final int rank;
  private final int realBytes;
  private final Map<Tensor, Room> rooms = new HashMap<>();
  private final List<Long> owned = new ArrayList<>();
  private int capacity;

  /** real [tokens, widest stride] du of the matrix at hand. */
  private long dLow;

  /** real [tokens, widest input] an input with zeros, or the gradient that meets them. */
  private long dropped;

  CudaAdapters(
      Device device,
      Precision precision,
      AdapterLayout layout,
      DeviceParameters trained,
      Products products,
      Kernels kernels) {
    this.device = device;
    this.layout = layout;
    this.trained = trained;
    this.products = products;
    this.kernels = kernels;
    this.rank = layout.lora().rank();
    this.realBytes = precision.bytes();
  }

  /** Makes room for a pass over this many tokens. */
  void prepare(int tokens) {
    if (tokens <= capacity) {
      return;
    }
    device.synchronize();
    owned.forEach(device::free);
    owned.clear();
    rooms.clear();
    capacity = 0;
    int widest = 0;
    int widestInput = 0;
    for (int layer = 0; layer < layout.config().layerCount(); layer++) {
      ParameterLayout.Block block = layout.model().block(layer);
      for (Tensor w : List.of(block.qkv(), block.attentionOutput(), block.gateUp(), block.down())) {
        Group group = layout.group(w).orElse(null);
        if (group != null) {
          int stride = (group.width() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
          rooms.put(w, new Room(group, stride, own((long) tokens * stride)));
          widest = Math.max(widest, stride);
          widestInput = Math.max(widestInput, w.cols());
        }
      }
    }
    dLow = own((long) tokens * widest);
    dropped = layout.lora().dropout() > 0 ? own((long) tokens * widestInput) : 0;
    capacity = tokens;
  }

  private long own(long elements) {
    long address = device.allocate(WORK, elements * realBytes);
    owned.add(address);
    return address;
  }

  /** y += scale · x̃ Aᵀ Bᵀ for every adapter of the matrix. */
  void forward(BatchOnDevice batch, Tensor matrix, long x, long y) {
    Room room = rooms.get(matrix);
    if (room == null) {
      return;
    }
    int n = batch.tokens();
    List<Adapter> adapters = room.group.adapters();
    if (batch.pass().adapterDropout() > 0) {
      for (int i = 0; i < adapters.size(); i++) {
        drop(batch, adapters.get(i), x, matrix.cols());
        low(n, dropped, room, i, rank);
      }
    } else {
      low(n, x, room, 0, room.group.width());
    }
    for (int i = 0; i < adapters.size(); i++) {
      Adapter adapter = adapters.get(i);
      Shape shape =
          new Shape(false, true, n, adapter.out(), rank, room.stride, rank, matrix.rows(), false);
      long b = trained.weights(adapter.b());
      products.multiply(
          "adapter up", shape, scale(), columns(room.low, i), b, true, rows(y, adapter));
    }
  }

  /** Columns of u from adapter {@code first} on: x Aᵀ for {@code width} rows of A. */
  private void low(int n, long x, Room room, int first, int width) {
    int in = room.group.a().cols();
    Shape shape = new Shape(false, true, n, width, in, in, in, room.stride, false);
    products.multiply("adapter down", shape, 1, x, a(room, first), false, columns(room.low, first));
  }

  /** du, and what it adds to dx. */
  void inputGradient(BatchOnDevice batch, Tensor matrix, long dy, long dx) {
    Room room = rooms.get(matrix);
    if (room == null) {
      return;
    }
    int n = batch.tokens();
    int in = matrix.cols();
    for (int i = 0; i < room.group.adapters().size(); i++) {
      Adapter adapter = room.group.adapters().get(i);
      Shape shape =
          new Shape(false, false, n, rank, adapter.out(), matrix.rows(), rank, room.stride, false);
      long b = trained.weights(adapter.b());
      long du = columns(dLow, i);
      products.multiply(
          "adapter up, input gradient", shape, scale(), rows(dy, adapter), b, false, du);
      if (batch.pass().adapterDropout() > 0) {
        down(n, in, rank, du, room, i, false, dropped);
        kernels.dropAdd(
            dx, dropped, batch, DropoutKeys.adapter(adapter), in, batch.pass().adapterDropout());
      }
    }
    if (batch.pass().adapterDropout() == 0) {
      down(n, in, room.group.width(), dLow, room, 0, true, dx);
    }
  }

  /** dx (+)= du A for {@code width} rows of A from adapter {@code first} on. */
  private void down(
      int n, int in, int width, long du, Room room, int first, boolean adds, long dx) {
    Shape shape = new Shape(false, false, n, in, width, room.stride, in, in, false);
    products.multiply("adapter down, input gradient", shape, 1, du, a(room, first), adds, dx);
  }

  /** dA and dB over all tokens, after {@link #inputGradient} of the same matrix. */
  void weightGradient(BatchOnDevice batch, Tensor matrix, long dy, long x) {
    Room room = rooms.get(matrix);
    if (room == null) {
      return;
    }
    int n = batch.tokens();
    boolean adds = batch.pass().adds();
    for (int i = 0; i < room.group.adapters().size(); i++) {
      Adapter adapter = room.group.adapters().get(i);
      Shape shape =
          new Shape(true, false, adapter.out(), rank, n, matrix.rows(), room.stride, rank, true);
      long gradient = trained.gradient(adapter.b());
      products.multiply(
          "adapter up, gradient",
          shape,
          scale(),
          rows(dy, adapter),
          columns(room.low, i),
          adds,
          gradient);
      if (batch.pass().adapterDropout() > 0) {
        drop(batch, adapter, x, matrix.cols());
        downGradient(n, room, i, rank, dropped, adds);
      }
    }
    if (batch.pass().adapterDropout() == 0) {
      downGradient(n, room, 0, room.group.width(), x, adds);
    }
  }

  /** dA = duᵀ x for {@code width} rows of A from adapter {@code first} on. */
  private void downGradient(int n, Room room, int first, int width, long x, boolean adds) {
    Tensor a = room.group.a();
    Shape shape = new Shape(true, false, width, a.cols(), n, room.stride, a.cols(), a.cols(), true);
    long gradient = trained.gradient(a) + (long) first * rank * a.cols() * Float.BYTES;
    products.multiply("adapter down, gradient", shape, 1, columns(dLow, first), x, adds, gradient);
  }

  /** dropped = dropout(x). */
  private void drop(BatchOnDevice batch, Adapter adapter, long x, int width) {
    kernels.drop(
        dropped, x, batch, DropoutKeys.adapter(adapter), width, batch.pass().adapterDropout());
  }

  private float scale() {
    return layout.lora().scale();
  }

  /** Rows of all A from an adapter's on. */
  private long a(Room room, int adapter) {
    Tensor a = room.group.a();
    return trained.weights(a) + (long) adapter * rank * a.cols() * realBytes;
  }

  /** Columns of u or du from an adapter's on. */
  private long columns(long low, int adapter) {
    return low + (long) adapter * rank * realBytes;
  }

  /** A projection's part of each row of the fused matrix's result. */
  private long rows(long y, Adapter adapter) {
    return y + (long) adapter.firstRow() * realBytes;
  }
}
