package caravan.model.engine;

import caravan.model.AdapterLayout;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.ShortPointer;

/**
 * A flat buffer (parameters, or their gradient) seen as tensors. Beside a frozen base the buffer
 * holds adapters and the modules trained in full; every other tensor lies in the base, and has no
 * gradient.
 */
final class Weights implements AutoCloseable {
  private final ParameterLayout layout;
  private final long address;

  /** Where each tensor of the model lies, when not all lie in the buffer as the layout says. */
  private final Map<Tensor, Long> places;

  /** Matrices of a frozen base that are not floats. */
  private final Map<Tensor, WeightMatrix> packed;

  /** Tensors that never change. */
  private final Set<Tensor> frozen;

  /** Of a gradient: 0 where products overwrite it, 1 where they are added to it. */
  float beta;

  private ShortPointer halves;

  /** Offsets of the matrices there. */
  private final Map<Tensor, Long> halfPlaces = new HashMap<>();

  /** Those matrices: a list, over which a step goes without an iterator. */
  private final List<Tensor> halved = new ArrayList<>();

  /** Gains of the attention and feed-forward norms, [hidden] each, by layer. */
  private final Buffer[] attentionNorm;

  private final Buffer[] mlpNorm;
  private final Buffer finalNorm;

  Weights(ParameterLayout layout, FloatPointer pointer) {
    this(layout, addressOf(pointer), null, Map.of(), Set.of());
  }

  private Weights(
      ParameterLayout layout,
      long address,
      Map<Tensor, Long> places,
      Map<Tensor, WeightMatrix> packed,
      Set<Tensor> frozen) {
    this.layout = layout;
    this.address = address;
    this.places = places;
    this.packed = packed;
    this.frozen = frozen;
    int layers = layout.config().layerCount();
    attentionNorm = new Buffer[layers];
    mlpNorm = new Buffer[layers];
    for (int l = 0; l < layers; l++) {
      attentionNorm[l] = view(layout.block(l).attentionNorm());
      mlpNorm[l] = view(layout.block(l).mlpNorm());
    }
    finalNorm = view(layout.finalNorm());
  }

  /** The base's tensors, and in their stead those trained in full. */
  static Weights beside(FrozenBase base, AdapterLayout adapters, FloatPointer trained) {
    Map<String, Tensor> theirs = new HashMap<>();
    new ParameterLayout(base.config()).tensors().forEach(t -> theirs.put(t.name(), t));
    Map<Tensor, Long> places = inFull(adapters, trained);
    Map<Tensor, WeightMatrix> packed = new HashMap<>();
    Set<Tensor> frozen = new HashSet<>(adapters.model().tensors());
    frozen.removeAll(places.keySet());
    for (Tensor tensor : frozen) {
      WeightMatrix matrix = base.matrix(tensor.name());
      if (matrix == null) {
        places.put(tensor, base.address(theirs.get(tensor.name())));
      } else {
        packed.put(tensor, matrix);
      }
    }
    return new Weights(adapters.model(), addressOf(trained), places, packed, frozen);
  }

  /** A whole model that is frozen; gains of norms are floats. */
  static Weights of(FrozenBase base) {
    ParameterLayout layout = new ParameterLayout(base.config());
    Map<Tensor, Long> places = new HashMap<>();
    Map<Tensor, WeightMatrix> packed = new HashMap<>();
    for (Tensor tensor : layout.tensors()) {
      WeightMatrix matrix = base.matrix(tensor.name());
      if (matrix == null) {
        places.put(tensor, base.address(tensor));
      } else {
        packed.put(tensor, matrix);
      }
    }
    return new Weights(layout, 0, places, packed, Set.copyOf(layout.tensors()));
  }

  /** The gradient of what is trained beside a base. */
  static Weights gradientBeside(AdapterLayout adapters, FloatPointer gradient) {
    return new Weights(
        adapters.model(), addressOf(gradient), inFull(adapters, gradient), Map.of(), Set.of());
  }

  private static Map<Tensor, Long> inFull(AdapterLayout adapters, FloatPointer flat) {
    Map<Tensor, Long> places = new HashMap<>();
    adapters
        .saved()
        .forEach((model, own) -> places.put(model, addressOf(flat) + own.offset() * Float.BYTES));
    return places;
  }

  /** The first float of a pointer: JavaCPP keeps the position beside the address. */
  static long addressOf(FloatPointer pointer) {
    return pointer.address() + pointer.position() * Float.BYTES;
  }

  private Buffer view(Tensor tensor) {
    return has(tensor) ? Buffer.view(address(tensor), tensor.length()) : null;
  }

  ParameterLayout layout() {
    return layout;
  }

  boolean isAt(FloatPointer pointer) {
    return addressOf(pointer) == address;
  }

  /** Whether there is such a tensor here: a frozen one has no gradient. */
  boolean has(Tensor tensor) {
    return places == null || places.containsKey(tensor);
  }

  long address(Tensor tensor) {
    return places == null ? own(tensor) : places.get(tensor);
  }

  /** Address of a tensor that the buffer's own layout has: all of a model, or an adapter. */
  long own(Tensor tensor) {
    return address + tensor.offset() * Float.BYTES;
  }

  /** The matrix, where it is not floats; else null. */
  WeightMatrix packed(Tensor tensor) {
    return packed.get(tensor);
  }

  /** One row of a matrix, as floats. */
  void copyRow(Tensor tensor, int row, Buffer target, long at) {
    WeightMatrix matrix = packed(tensor);
    if (matrix == null) {
      Buffer.copy(row(tensor, row), target.address(at), tensor.cols());
    } else {
      WeightRows.unpack(matrix, row, row + 1, target.address(at));
    }
  }

  /**
   * Rounds the matrices to bf16, this worker's share of each, for products with halves; those that
   * never change only once.
   */
  void round(Worker worker) {
    boolean first = worker.settled != this;
    worker.settled = this;
    for (int i = 0; i < halved.size(); i++) {
      Tensor tensor = halved.get(i);
      if (first || !frozen.contains(tensor)) {
        long from = worker.from(tensor.rows()) * (long) tensor.cols();
        long to = worker.to(tensor.rows()) * (long) tensor.cols();
        worker
            .gemm
            .halves()
            .round(
                address(tensor) + from * Float.BYTES,
                halfAddress(tensor) + from * Short.BYTES,
                to - from);
      }
    }
  }

  /** Bytes of the matrices in bf16; 0 where there are none. */
  long halfBytes() {
    return halves == null ? 0 : halves.capacity() * Short.BYTES;
  }

  /** Room for the matrices of floats in bf16; {@link #round} fills it. */
  void keepHalves() {
    if (halves == null) {
      long length = 0;
      for (Tensor tensor : layout.tensors()) {
        if (!tensor.isNorm() && packed(tensor) == null) {
          halved.add(tensor);
          halfPlaces.put(tensor, length);
          length += tensor.length();
        }
      }
      halves = new ShortPointer(length);
    }
  }

  /**
   * Bytes of what {@link #keepHalves} makes room for.
   *
   * @param floats the tensors that are not packed
   */
  static long halfBytes(Collection<Tensor> floats) {
    return Short.BYTES * floats.stream().filter(t -> !t.isNorm()).mapToLong(Tensor::length).sum();
  }

  /** Address of a matrix in bf16. */
  long halfAddress(Tensor tensor) {
    return halves.address() + halfPlaces.get(tensor) * Short.BYTES;
  }

  @Override
  public void close() {
    if (halves != null) {
      halves.close();
    }
  }

  /** Address of one row of a matrix. */
  long row(Tensor tensor, long row) {
    return address(tensor) + row * tensor.cols() * Float.BYTES;
  }

  /** The gain, or in a gradient null where it is frozen. */
  Buffer attentionNorm(int layer) {
    return attentionNorm[layer];
  }

  Buffer mlpNorm(int layer) {
    return mlpNorm[layer];
  }

  Buffer finalNorm() {
    return finalNorm;
  }
}
