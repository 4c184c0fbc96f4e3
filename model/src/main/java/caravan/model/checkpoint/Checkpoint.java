package caravan.model.checkpoint;

import caravan.model.Adaptation;
import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.WeightType;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.javacpp.FloatPointer;

/**
 * A model and what training needs to go on from it. A checkpoint that was read owns its off-heap
 * buffers: close it. One that is only written may borrow them.
 *
 * @param parameters [ParameterLayout.length()] in the layout's order; [AdapterLayout.length()]
 *     where there is an adaptation
 * @param moments the optimizer's state, absent in a model that is not to be trained further
 * @param outerMomentum [ParameterLayout.length()] the outer optimizer's velocity, where it has one
 * @param state what the training code wants back: step, round, tokens seen, data position, seeds,
 *     configuration; any values that JSON can hold
 * @param tokenizerFiles contents by file name, such as {@code tokenizer.model}
 * @param adaptation what is trained beside which base; empty where the parameters are all of a
 *     model's
 */
public record Checkpoint(
    LlamaConfig config,
    SpecialTokens specialTokens,
    FloatPointer parameters,
    Optional<OptimizerState> moments,
    Optional<FloatPointer> outerMomentum,
    Map<String, Object> state,
    Map<String, byte[]> tokenizerFiles,
    Optional<Adaptation> adaptation)
    implements AutoCloseable {

  public Checkpoint {
    long length =
        adaptation
            .map(a -> new AdapterLayout(config, a.lora()).length())
            .orElseGet(() -> new ParameterLayout(config).length());
    requireLength("parameters", parameters, length);
    moments.ifPresent(m -> m.vectors().forEach(v -> requireLength("moments", v, m.length())));
    outerMomentum.ifPresent(m -> requireLength("outer momentum", m, length));
  }

  /** Of all of a model's parameters. */
  public Checkpoint(
      LlamaConfig config,
      SpecialTokens specialTokens,
      FloatPointer parameters,
      Optional<OptimizerState> moments,
      Optional<FloatPointer> outerMomentum,
      Map<String, Object> state,
      Map<String, byte[]> tokenizerFiles) {
    this(
        config,
        specialTokens,
        parameters,
        moments,
        outerMomentum,
        state,
        tokenizerFiles,
        Optional.empty());
  }

  /** A model without training state. */
  public static Checkpoint ofModel(
      LlamaConfig config,
      SpecialTokens specialTokens,
      FloatPointer parameters,
      Map<String, byte[]> tokenizerFiles) {
    return new Checkpoint(
        config,
        specialTokens,
        parameters,
        Optional.empty(),
        Optional.empty(),
        Map.of(),
        tokenizerFiles);
  }

  /** The same, of adapters that are trained beside a base whose matrices lie so. */
  public Checkpoint withBaseWeights(WeightType type) {
    return new Checkpoint(
        config,
        specialTokens,
        parameters,
        moments,
        outerMomentum,
        state,
        tokenizerFiles,
        adaptation.map(a -> a.withBaseWeights(type)));
  }

  /** What it holds beside its tensors. */
  public CheckpointHead head() {
    return new CheckpointHead(config, specialTokens, state, tokenizerFiles, adaptation);
  }

  @Override
  public void close() {
    parameters.close();
    moments.ifPresent(m -> m.vectors().forEach(FloatPointer::close));
    outerMomentum.ifPresent(FloatPointer::close);
  }

  /** A pointer into a larger buffer may hold more; one of unknown capacity is trusted. */
  private static void requireLength(String what, FloatPointer floats, long wanted) {
    long got = floats.limit() - floats.position();
    if (floats.limit() > 0 && got < wanted) {
      throw new IllegalArgumentException(
          what + ": got " + got + " floats, wanted " + wanted + " by the model's shape");
    }
  }
}
