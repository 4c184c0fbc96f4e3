package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.function.Function;
import org.bytedeco.javacpp.FloatPointer;

/** Keeps a model's weights as one vector of floats in memory. */
final class WholeVector implements Function<LlamaConfig, WeightSink>, AutoCloseable {
  private FloatPointer parameters;

  @Override
  public WeightSink apply(LlamaConfig config) {
    parameters = new AlignedFloats(new ParameterLayout(config).length());
    return WeightSink.into(parameters);
  }

  /** The model, whose weights are here; closing it frees them. */
  Checkpoint model(CheckpointHead head) {
    Checkpoint model =
        Checkpoint.ofModel(head.config(), head.specialTokens(), parameters, head.tokenizerFiles());
    parameters = null;
    return model;
  }

  @Override
  public void close() {
    if (parameters != null) {
      parameters.close();
    }
  }
}
