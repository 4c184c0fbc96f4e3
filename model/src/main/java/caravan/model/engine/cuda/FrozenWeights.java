package caravan.model.engine.cuda;

import caravan.model.AdapterLayout;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.WeightType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;

/**
 * A frozen base on the GPU: matrices in the type that products read, gains of norms in fp32, and
 * nothing else: no masters, no gradients, no moments. What is trained in full beside it is left
 * out.
 */
final class FrozenWeights {
  /** Floats that are converted at a time. */
  private static final long CHUNK = 4L << 20;

  private final Map<Tensor, Long> addresses = new HashMap<>();

  private final Device device;
  private final Kernels kernels;
  private final Precision precision;

  FrozenWeights(
      Device device,
      Kernels kernels,
      Precision precision,
      AdapterLayout adapters,
      FrozenBase base) {
    this.device = device;
    this.kernels = kernels;
    this.precision = precision;
    Map<String, Tensor> sources = new HashMap<>();
    new ParameterLayout(base.config()).tensors().forEach(t -> sources.put(t.name(), t));
    List<Tensor> frozen =
        adapters.model().tensors().stream().filter(t -> !adapters.saved().containsKey(t)).toList();
    long staging = precision.half() ? device.allocate("work space", CHUNK * Float.BYTES) : 0;
    try (FloatPointer unpacked =
        new FloatPointer(base.type() == WeightType.F32 ? 0 : most(frozen))) {
      for (Tensor tensor : frozen) {
        Tensor source = sources.get(tensor.name());
        if (base.type() == WeightType.F32) {
          long host = DeviceParameters.addressOf(base.parameters());
          take(tensor, host + source.offset() * Float.BYTES, staging);
        } else {
          base.copy(source, unpacked.address());
          take(tensor, unpacked.address(), staging);
          device.synchronize();
        }
      }
      device.synchronize();
    }
    device.free(staging);
  }

  private static long most(List<Tensor> tensors) {
    return tensors.stream().mapToLong(Tensor::length).max().orElse(0);
  }

  /** Copies a tensor of floats to the GPU. */
  private void take(Tensor tensor, long from, long staging) {
    boolean half = precision.half() && !tensor.isNorm();
    int bytes = half ? precision.bytes() : Float.BYTES;
    long to = device.allocate("frozen weights", tensor.length() * bytes);
    addresses.put(tensor, to);
    if (!half) {
      device.upload(to, from, tensor.length() * Float.BYTES);
      return;
    }
    for (long at = 0; at < tensor.length(); at += CHUNK) {
      long count = Math.min(CHUNK, tensor.length() - at);
      device.upload(staging, from + at * Float.BYTES, count * Float.BYTES);
      kernels.toReal(to + at * bytes, staging, count);
    }
  }

  long address(Tensor tensor) {
    return addresses.get(tensor);
  }
}
