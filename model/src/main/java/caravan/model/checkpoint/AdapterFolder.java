package caravan.model.checkpoint;

import caravan.model.Adaptation;
import caravan.model.AdapterLayout;
import caravan.model.AdapterWeights;
import caravan.model.LlamaConfig;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.javacpp.FloatPointer;

/** A directory with adapters: PEFT's files, ours or another program's, and the base they name. */
final class AdapterFolder {
  private static final String ADAPTED_CONFIG = "caravan/config.json";

  private final Directory directory;
  private final Adaptation adaptation;

  /**
   * @param base where the base lies, if elsewhere than the adapters say
   */
  AdapterFolder(Directory directory, Optional<String> base) {
    this.directory = directory;
    Adaptation named = PeftFiles.adaptation(directory);
    this.adaptation = base.map(path -> new Adaptation(named.lora(), path)).orElse(named);
  }

  /** The adapters alone. */
  Checkpoint read(Map<String, Object> state, Map<String, byte[]> tokenizerFiles) {
    if (directory.exists(ADAPTED_CONFIG)) {
      byte[] file = directory.bytes(ADAPTED_CONFIG);
      String where = directory.path(ADAPTED_CONFIG);
      return read(
          HuggingFaceConfig.config(file, where),
          HuggingFaceConfig.specialTokens(file, where),
          state,
          tokenizerFiles);
    }
    try (Checkpoint base = base()) {
      return read(
          PeftFiles.model(directory, base.config()), base.specialTokens(), state, tokenizerFiles);
    }
  }

  private Checkpoint read(
      LlamaConfig model,
      SpecialTokens special,
      Map<String, Object> state,
      Map<String, byte[]> tokenizerFiles) {
    Adaptation own = new Adaptation(adaptation.lora().on(model), adaptation.base());
    FloatPointer trained = PeftFiles.read(directory, new AdapterLayout(model, own.lora()));
    return new Checkpoint(
        model,
        special,
        trained,
        Optional.empty(),
        Optional.empty(),
        state,
        tokenizerFiles,
        Optional.of(own));
  }

  /** The whole model, adapters added to their projections. */
  Checkpoint merged(Map<String, byte[]> tokenizerFiles) {
    try (Checkpoint base = base()) {
      LlamaConfig shape = PeftFiles.model(directory, base.config());
      Map<String, byte[]> files = new LinkedHashMap<>(base.tokenizerFiles());
      if (!tokenizerFiles.isEmpty()) {
        files = tokenizerFiles;
      }
      try (Checkpoint adapter =
          directory.exists(ADAPTED_CONFIG)
              ? read(Map.of(), files)
              : read(shape, base.specialTokens(), Map.of(), files)) {
        LlamaConfig model = adapter.config();
        AdapterLayout layout = new AdapterLayout(model, adapter.adaptation().orElseThrow().lora());
        return Checkpoint.ofModel(
            model, adapter.specialTokens(), merged(layout, base, adapter), files);
      }
    }
  }

  private FloatPointer merged(AdapterLayout layout, Checkpoint base, Checkpoint adapter) {
    try {
      return AdapterWeights.merged(layout, base.config(), base.parameters(), adapter.parameters());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          directory.path() + " beside " + adaptation.base() + ": " + e.getMessage(), e);
    }
  }

  private Checkpoint base() {
    if (adaptation.base().isEmpty()) {
      throw new IllegalArgumentException(
          directory.path(PeftFiles.CONFIG)
              + ": base_model_name_or_path is missing; say where the base lies by lora.base");
    }
    try {
      return Checkpoints.open(adaptation.base(), directory.hadoop());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "the base of the adapters in "
              + directory.path()
              + ": "
              + e.getMessage()
              + "; put it there, or say where it lies by lora.base",
          e);
    }
  }
}
