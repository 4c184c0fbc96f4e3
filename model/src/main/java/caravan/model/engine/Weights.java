package caravan.model.engine;

import caravan.model.AdapterLayout;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import java.util.HashMap;
import java.util.Map;
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

  /** Of a gradient: 0 where products overwrite it, 1 where they are added to it. */
  float beta;

  private ShortPointer halves;

  /** Gains of the attention and feed-forward norms, [hidden] each, by layer. */
  private final Buffer[] attentionNorm;

  private final Buffer[] mlpNorm;
  private final Buffer finalNorm;

  Weights(ParameterLayout layout, FloatPointer pointer) {
    this(layout, addressOf(pointer), null);
  }

  private Weights(ParameterLayout layout, long address, Map<Tensor, Long> places) {
    this.layout = layout;
    this.address = address;
    this.places = places;
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
    Map<String, Tensor> frozen = new HashMap<>();
    new ParameterLayout(base.config()).tensors().forEach(t -> frozen.put(t.name(), t));
    Map<Tensor, Long> places = new HashMap<>();
    for (Tensor tensor : adapters.model().tensors()) {
      places.put(
          tensor, addressOf(base.parameters()) + frozen.get(tensor.name()).offset() * Float.BYTES);
    }
    places.putAll(inFull(adapters, trained));
    return new Weights(adapters.model(), addressOf(trained), places);
  }

  /** The gradient of what is trained beside a base. */
  static Weights gradientBeside(AdapterLayout adapters, FloatPointer gradient) {
    return new Weights(adapters.model(), addressOf(gradient), inFull(adapters, gradient));
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

  /** Rounds the matrices to bf16, this worker's share of each, for products with halves. */
  void round(Worker worker) {
    for (Tensor tensor : layout.tensors()) {
      if (!tensor.isNorm()) {
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

  /** Room for the matrices in bf16; {@link #round} fills it. */
  void keepHalves() {
    if (halves == null) {
      halves = new ShortPointer(layout.length());
    }
  }

  /** Address of a matrix in bf16. */
  long halfAddress(Tensor tensor) {
    return halves.address() + tensor.offset() * Short.BYTES;
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
