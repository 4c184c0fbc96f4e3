package caravan.model.engine.cuda;

import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;

/**
 * The model's parameters on the GPU: fp32 masters, their copy in the type that products read, and
 * for training gradient and moments. All in the order of {@link ParameterLayout} and parallel, each
 * tensor at a multiple of {@value #ALIGNMENT} elements, which tensor cores and wide loads want; the
 * gaps are zero and stay so.
 */
final class DeviceParameters {
  static final int ALIGNMENT = 128;

  private final Device device;
  private final Precision precision;
  private final ParameterLayout layout;
  private final Map<Tensor, Long> offsets = new HashMap<>();
  private final long length;
  private final long masters;
  private final long copies;
  private long gradients;
  private long first;
  private long second;

  DeviceParameters(Device device, Precision precision, ParameterLayout layout) {
    this.device = device;
    this.precision = precision;
    this.layout = layout;
    long at = 0;
    for (Tensor tensor : layout.tensors()) {
      offsets.put(tensor, at);
      at += (tensor.length() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    length = at;
    masters = cleared("master weights", Float.BYTES);
    copies = precision.half() ? cleared("bf16 weights", precision.bytes()) : masters;
  }

  private long cleared(String what, int elementBytes) {
    long address = device.allocate(what, length * elementBytes);
    device.zero(address, length * elementBytes);
    return address;
  }

  /** Elements, gaps included. */
  long length() {
    return length;
  }

  long masters() {
    return masters;
  }

  /** 0 when products read the masters themselves. */
  long copiesOrNull() {
    return precision.half() ? copies : 0;
  }

  long gradients() {
    if (gradients == 0) {
      gradients = cleared("gradients", Float.BYTES);
    }
    return gradients;
  }

  long first() {
    if (first == 0) {
      first = cleared("first moments", Float.BYTES);
    }
    return first;
  }

  long second() {
    if (second == 0) {
      second = cleared("second moments", Float.BYTES);
    }
    return second;
  }

  long master(Tensor tensor) {
    return masters + offsets.get(tensor) * Float.BYTES;
  }

  /** The tensor as products read it. */
  long weights(Tensor tensor) {
    return copies + offsets.get(tensor) * precision.bytes();
  }

  long gradient(Tensor tensor) {
    return gradients() + offsets.get(tensor) * Float.BYTES;
  }

  /** Where runs of tensors with the same decay end, in elements, the last at {@link #length}. */
  List<Range> decayRanges(double decay) {
    List<Range> ranges = new ArrayList<>();
    for (int i = 0; i < layout.tensors().size(); i++) {
      Tensor tensor = layout.tensors().get(i);
      boolean last = i + 1 == layout.tensors().size();
      long end = last ? length : offsets.get(layout.tensors().get(i + 1));
      float own = tensor.isNorm() ? 0f : (float) decay;
      if (!ranges.isEmpty() && ranges.get(ranges.size() - 1).decay() == own) {
        ranges.remove(ranges.size() - 1);
      }
      ranges.add(new Range(end, own));
    }
    return ranges;
  }

  record Range(long end, float decay) {}

  /** The host's flat buffer to one of ours, without waiting for it. */
  void upload(FloatPointer host, long buffer) {
    long from = addressOf(host);
    for (Tensor tensor : layout.tensors()) {
      device.upload(
          buffer + offsets.get(tensor) * Float.BYTES,
          from + tensor.offset() * Float.BYTES,
          tensor.length() * Float.BYTES);
    }
  }

  /** One of our buffers to the host's flat one; there after {@link Device#synchronize}. */
  void download(FloatPointer host, long buffer) {
    long to = addressOf(host);
    for (Tensor tensor : layout.tensors()) {
      device.download(
          to + tensor.offset() * Float.BYTES,
          buffer + offsets.get(tensor) * Float.BYTES,
          tensor.length() * Float.BYTES);
    }
  }

  /** The first float of a pointer: JavaCPP keeps the position beside the address. */
  static long addressOf(FloatPointer pointer) {
    return pointer.address() + pointer.position() * Float.BYTES;
  }
}
