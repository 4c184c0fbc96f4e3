package caravan.model.checkpoint;

import caravan.model.Adaptation;
import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.TensorLayout;
import java.io.Serializable;
import java.util.Optional;

/**
 * What a checkpoint's parameters are: all of a model's, or adapters beside a base.
 *
 * @param model the whole model's shape
 * @param adapters null where all parameters are trained
 */
public record TrainedShape(LlamaConfig model, Adaptation adapters) implements Serializable {
  public static TrainedShape of(LlamaConfig model, Optional<Adaptation> adapters) {
    return new TrainedShape(model, adapters.orElse(null));
  }

  /** Of the trained vector. */
  public TensorLayout layout() {
    return adapters == null ? new ParameterLayout(model) : adapterLayout();
  }

  AdapterLayout adapterLayout() {
    return new AdapterLayout(model, adapters.lora());
  }

  /** The file of a checkpoint that holds them. */
  public String file() {
    return adapters == null ? CheckpointTensors.MODEL : PeftFiles.WEIGHTS;
  }
}
