package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.Optional;

/**
 * A model on one GPU and what computes with it.
 *
 * @param layout of the whole model
 * @param trained the part that is trained: all of it, or adapters and what is trained in full
 * @param weights where each of the model's tensors lies
 * @param adapters beside the matrices, where these are frozen
 */
record CudaModel(
    Device device,
    Precision precision,
    ParameterLayout layout,
    DeviceParameters trained,
    DeviceWeights weights,
    Kernels kernels,
    AttentionKernels attention,
    Linears linears,
    Optional<CudaAdapters> adapters) {

  LlamaConfig config() {
    return layout.config();
  }
}
