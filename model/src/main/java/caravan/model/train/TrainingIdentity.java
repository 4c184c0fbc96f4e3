package caravan.model.train;

import caravan.model.Adaptation;
import caravan.model.LlamaConfig;
import caravan.model.engine.WeightType;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * What must be the same for a training to go on from a checkpoint: with anything else its curve
 * would not be the one that was interrupted.
 *
 * @param model shape of the model
 * @param fields of the checkpoint's state.json
 */
record TrainingIdentity(LlamaConfig model, Map<String, Object> fields) {
  /** What tells the data. */
  private static final Set<String> DATA = Set.of("data", "sequences", "parts");

  static TrainingIdentity of(Trainer.Setup setup) {
    TrainConfig config = setup.config();
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("seed", setup.seed());
    fields.put("data", setup.fingerprint());
    fields.put("sequences", setup.data().size());
    if (setup.data() instanceof BlendedSequences blend) {
      fields.put("parts", blend.identity());
    }
    fields.put("train.workers", config.workers());
    fields.put("train.batch-sequences", config.batchSequences());
    fields.put("train.sequence-length", config.sequenceLength());
    fields.put("train.averaging-steps", config.averagingSteps());
    fields.put("train.accumulation-steps", config.accumulationSteps());
    fields.put("train.optimizer.kind", config.optimizer().kind());
    fields.put("train.freeze", config.freeze());
    fields.put("train.block-steps", config.blockSteps());
    fields.put("train.moments", config.moments());
    fields.put("train.outer.kind", config.outer().kind());
    fields.put("train.packing", config.packing());
    fields.put("lora", setup.adaptation().map(TrainingIdentity::adapters).orElse("none"));
    return new TrainingIdentity(setup.model(), fields);
  }

  private static String adapters(Adaptation adaptation) {
    WeightType weights = adaptation.baseWeights();
    String beside = weights == WeightType.F32 ? "" : " beside a base in " + weights.key();
    return adaptation.lora() + beside;
  }

  /**
   * @param data whether they must be the same too
   * @param path of the checkpoint, for messages
   * @throws IllegalArgumentException naming the first difference
   */
  void require(
      LlamaConfig checkpointModel, Map<String, Object> state, Resume.Data data, String path) {
    same("model", model, checkpointModel, path);
    fields.forEach(
        (key, value) -> {
          if (data == Resume.Data.CONTINUE || !DATA.contains(key)) {
            same(key, value, state.get(key), path);
          }
        });
  }

  private static void same(String key, Object wanted, Object got, String path) {
    if (!String.valueOf(wanted).equals(String.valueOf(got))) {
      throw new IllegalArgumentException(
          "cannot resume from "
              + path
              + ": it was trained with "
              + key
              + " = "
              + got
              + ", this run has "
              + wanted
              + "; use the same, another output, or resume=never to start over"
              + (DATA.contains(key) ? "; resume-data=restart goes on with other data" : ""));
    }
  }
}
