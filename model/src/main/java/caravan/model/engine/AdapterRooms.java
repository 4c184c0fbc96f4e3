package caravan.model.engine;

import caravan.model.AdapterLayout;
import caravan.model.AdapterLayout.Adapter;
import caravan.model.AdapterLayout.Group;
import caravan.model.ParameterLayout.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What adapters write down in a pass; made for the largest one seen. */
final class AdapterRooms implements AutoCloseable {
  /** The adapters of one fused matrix with room for [tokens, width] of u and of du. */
  record Room(Group group, Buffer low, Buffer dLow) {
    List<Adapter> adapters() {
      return group.adapters();
    }

    /** Where an adapter's columns of u begin, in the rows from {@code row} on. */
    long at(int row, int number, int rank) {
      return (long) row * group.width() + (long) number * rank;
    }
  }

  private final AdapterLayout layout;
  private final Map<Tensor, Room> rooms = new HashMap<>();
  private final int widest;
  private int capacity;
  private Buffer dropped;

  AdapterRooms(AdapterLayout layout) {
    this.layout = layout;
    this.widest = widest(layout);
  }

  /** Room of a matrix; null where it has no adapters. */
  Room of(Tensor matrix) {
    return rooms.get(matrix);
  }

  /** [tokens, widest] an input with zeros, or the gradient that meets them, a row to a token. */
  Buffer dropped() {
    return dropped;
  }

  /** The widest input: rows of one stride, whichever matrix each worker is at. */
  int widest() {
    return widest;
  }

  /** Makes room for a pass over this many tokens. */
  void prepare(int tokens) {
    if (tokens > capacity) {
      close();
      allocate(tokens);
    }
  }

  private void allocate(int tokens) {
    Map<Integer, Buffer> shared = new HashMap<>();
    for (int layer = 0; layer < layout.config().layerCount(); layer++) {
      List<Tensor> matrices = matrices(layout, layer);
      for (int i = 0; i < matrices.size(); i++) {
        Group group = layout.group(matrices.get(i)).orElse(null);
        if (group != null) {
          long floats = (long) tokens * group.width();
          Buffer gradient = shared.computeIfAbsent(i, key -> Buffer.allocate(floats));
          rooms.put(matrices.get(i), new Room(group, Buffer.allocate(floats), gradient));
        }
      }
    }
    dropped = layout.lora().dropout() > 0 ? Buffer.allocate((long) tokens * widest) : null;
    capacity = tokens;
  }

  private static List<Tensor> matrices(AdapterLayout layout, int layer) {
    var block = layout.model().block(layer);
    return List.of(block.qkv(), block.attentionOutput(), block.gateUp(), block.down());
  }

  private static List<Tensor> adapted(AdapterLayout layout) {
    return matrices(layout, 0).stream().filter(m -> layout.group(m).isPresent()).toList();
  }

  private static int widest(AdapterLayout layout) {
    return adapted(layout).stream().mapToInt(Tensor::cols).max().orElse(0);
  }

  /** Bytes that {@link #bytes()} tells once there is room for so many tokens. */
  static long bytes(AdapterLayout layout, int tokens) {
    // Every block has u of its own; they share du.
    long buffers = layout.config().layerCount() + 1L;
    long bytes = 0;
    for (Tensor matrix : adapted(layout)) {
      bytes += buffers * Buffer.bytesOf((long) tokens * layout.group(matrix).get().width());
    }
    boolean drops = layout.lora().dropout() > 0;
    return drops ? bytes + Buffer.bytesOf((long) tokens * widest(layout)) : bytes;
  }

  /** Bytes that this holds. */
  long bytes() {
    long low = rooms.values().stream().mapToLong(room -> room.low().bytes()).sum();
    long gradients =
        rooms.values().stream().map(Room::dLow).distinct().mapToLong(Buffer::bytes).sum();
    return low + gradients + (dropped == null ? 0 : dropped.bytes());
  }

  @Override
  public void close() {
    rooms.values().stream().map(Room::low).forEach(Buffer::close);
    rooms.values().stream().map(Room::dLow).distinct().forEach(Buffer::close);
    rooms.clear();
    if (dropped != null) {
      dropped.close();
      dropped = null;
    }
    capacity = 0;
  }
}
