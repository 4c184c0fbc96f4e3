package caravan.model.checkpoint;

import caravan.model.Adaptation;
import caravan.model.LlamaConfig;
import java.util.Map;
import java.util.Optional;

/**
 * What a checkpoint holds beside its tensors.
 *
 * @param state what the training code wants back; any values that JSON can hold
 * @param tokenizerFiles contents by file name, such as {@code tokenizer.model}
 * @param adaptation what is trained beside which base; empty where all parameters are
 */
public record CheckpointHead(
    LlamaConfig config,
    SpecialTokens specialTokens,
    Map<String, Object> state,
    Map<String, byte[]> tokenizerFiles,
    Optional<Adaptation> adaptation) {

  /** Of a model without training state. */
  static CheckpointHead ofModel(
      LlamaConfig config, SpecialTokens specialTokens, Map<String, byte[]> tokenizerFiles) {
    return new CheckpointHead(config, specialTokens, Map.of(), tokenizerFiles, Optional.empty());
  }
}
