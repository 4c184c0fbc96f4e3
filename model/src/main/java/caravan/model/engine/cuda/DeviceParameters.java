package caravan.model.engine.cuda;

import caravan.model.AdapterLayout;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.ParameterRanges;
import caravan.model.TensorLayout;
import caravan.model.WeightDecayRates;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.javacpp.FloatPointer;

/**
 * The trained vector on the GPU: fp32 masters, their copy in the type that products read, and for
 * training gradient and the optimizer's state. All in the host's order and parallel, each tensor at
 * a multiple of {@value #ALIGNMENT} elements, which tensor cores and wide loads want; the gaps are
 * zero and stay so.
 */
final class DeviceParameters {
  static final int ALIGNMENT = 128;

  /** Weight decay of what is not moved, as the kernels know it. */
  static final float STAYS = -1;

  private static final List<String> STATE = List.of("first moments", "second moments");

  private final Device device;
  private final Precision precision;
  private final List<Tensor> tensors;
  private final Map<Tensor, Long> offsets = new HashMap<>();
  private final long length;
  private final long masters;
  private final long copies;
  private final long[] state = new long[STATE.size()];
  private long gradients;

  DeviceParameters(Device device, Precision precision, TensorLayout layout) {
    this.device = device;
    this.precision = precision;
    this.tensors = layout instanceof AdapterLayout adapters ? spans(adapters) : layout.tensors();
    long at = 0;
    for (Tensor tensor : tensors) {
      offsets.put(tensor, at);
      at += (tensor.length() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    length = at;
    masters = cleared("master weights", Float.BYTES);
    copies = precision.half() ? cleared("bf16 weights", precision.bytes()) : masters;
  }

  /** A group's A lie one below the other, so that one product takes all of them. */
  private static List<Tensor> spans(AdapterLayout layout) {
    List<Tensor> spans = new ArrayList<>(layout.saved().values());
    for (int layer = 0; layer < layout.config().layerCount(); layer++) {
      ParameterLayout.Block block = layout.model().block(layer);
      Stream.of(block.qkv(), block.attentionOutput(), block.gateUp(), block.down())
          .flatMap(matrix -> layout.group(matrix).stream())
          .forEach(
              group -> {
                spans.add(group.a());
                group.adapters().forEach(adapter -> spans.add(adapter.b()));
              });
    }
    spans.sort(Comparator.comparingLong(Tensor::offset));
    return spans;
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

  /** A vector of the optimizer's state. */
  long state(int vector) {
    if (state[vector] == 0) {
      state[vector] = cleared(STATE.get(vector), Float.BYTES);
    }
    return state[vector];
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

  /**
   * A run of elements that an update treats alike.
   *
   * @param end one past its last element on the GPU; the last run's is {@link #length}
   * @param decay of weights, or {@link #STAYS}
   */
  record Range(long end, float decay) {}

  List<Range> ranges(WeightDecayRates decay, ParameterRanges moved) {
    List<Range> ranges = new ArrayList<>();
    for (Tensor tensor : tensors) {
      long start = offsets.get(tensor);
      ParameterRanges parts = moved.within(tensor.offset(), tensor.offset() + tensor.length());
      for (int i = 0; i < parts.count(); i++) {
        extend(ranges, start + parts.from(i) - tensor.offset(), STAYS);
        extend(ranges, start + parts.to(i) - tensor.offset(), (float) decay.of(tensor));
      }
      if (parts.length() < tensor.length()) {
        extend(ranges, start + tensor.length(), STAYS);
      }
    }
    Range last = ranges.remove(ranges.size() - 1);
    ranges.add(new Range(length, last.decay()));
    return ranges;
  }

  /** Adds a run up to {@code end}, if there is anything in it; it may lengthen the last. */
  private static void extend(List<Range> ranges, long end, float decay) {
    long begin = ranges.isEmpty() ? 0 : ranges.get(ranges.size() - 1).end();
    if (end <= begin) {
      return;
    }
    if (!ranges.isEmpty() && ranges.get(ranges.size() - 1).decay() == decay) {
      ranges.remove(ranges.size() - 1);
    }
    ranges.add(new Range(end, decay));
  }

  /** The host's flat buffer to one of ours, without waiting for it. */
  void upload(FloatPointer host, long buffer) {
    upload(host, buffer, ParameterRanges.ALL);
  }

  /**
   * @param host the floats of these ranges alone, one after the other
   */
  void upload(FloatPointer host, long buffer, ParameterRanges ranges) {
    long from = addressOf(host);
    move(ranges, (at, place, count) -> device.upload(buffer + place, from + at, count));
  }

  /** One of our buffers to the host's flat one; there after {@link Device#synchronize}. */
  void download(FloatPointer host, long buffer) {
    download(host, buffer, ParameterRanges.ALL);
  }

  void download(FloatPointer host, long buffer, ParameterRanges ranges) {
    long to = addressOf(host);
    move(ranges, (at, place, count) -> device.download(to + at, buffer + place, count));
  }

  /** Takes bytes at {@code host} of what is packed there to or from {@code place} in a buffer. */
  private interface Copy {
    void bytes(long host, long place, long count);
  }

  private void move(ParameterRanges ranges, Copy copy) {
    long done = 0;
    for (Tensor tensor : tensors) {
      ParameterRanges parts = ranges.within(tensor.offset(), tensor.offset() + tensor.length());
      for (int i = 0; i < parts.count(); i++) {
        long place = offsets.get(tensor) + parts.from(i) - tensor.offset();
        long count = parts.to(i) - parts.from(i);
        copy.bytes(done * Float.BYTES, place * Float.BYTES, count * Float.BYTES);
        done += count;
      }
    }
  }

  /** The first float of a pointer: JavaCPP keeps the position beside the address. */
  static long addressOf(FloatPointer pointer) {
    return pointer.address() + pointer.position() * Float.BYTES;
  }
}
