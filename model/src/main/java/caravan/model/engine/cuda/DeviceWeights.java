package caravan.model.engine.cuda;

import caravan.model.AdapterLayout;
import caravan.model.ParameterLayout.Tensor;
import java.util.Map;
import java.util.Optional;

/**
 * Where each tensor of the model lies on the GPU: in the trained vector, or beside it in a frozen
 * base, where it has no gradient.
 */
final class DeviceWeights {
  private final DeviceParameters trained;
  private final Optional<FrozenWeights> frozen;

  /** Names of the trained vector for those tensors of the model that are trained beside a base. */
  private final Map<Tensor, Tensor> own;

  DeviceWeights(DeviceParameters trained) {
    this.trained = trained;
    this.frozen = Optional.empty();
    this.own = Map.of();
  }

  DeviceWeights(DeviceParameters trained, AdapterLayout adapters, FrozenWeights frozen) {
    this.trained = trained;
    this.frozen = Optional.of(frozen);
    this.own = adapters.saved();
  }

  /** Whether it has a gradient. */
  boolean trains(Tensor tensor) {
    return frozen.isEmpty() || own.containsKey(tensor);
  }

  /** A matrix as products read it. */
  long matrix(Tensor tensor) {
    return trains(tensor)
        ? trained.weights(own.getOrDefault(tensor, tensor))
        : frozen.orElseThrow().address(tensor);
  }

  /** fp32 gain of a norm. */
  long gain(Tensor tensor) {
    return trains(tensor)
        ? trained.master(own.getOrDefault(tensor, tensor))
        : frozen.orElseThrow().address(tensor);
  }

  /** fp32 gradient; 0 where there is none. */
  long gradientOrNull(Tensor tensor) {
    return trains(tensor) ? trained.gradient(own.getOrDefault(tensor, tensor)) : 0;
  }
}
