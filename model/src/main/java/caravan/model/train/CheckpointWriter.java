package caravan.model.train;

import caravan.model.checkpoint.CheckpointStore;
import java.util.LinkedHashMap;
import java.util.Map;

/** When a training's checkpoints are written, which is the best, and which stay. */
final class CheckpointWriter {
  private final CheckpointStore store;
  private final TrainConfig config;
  private final TrainingIdentity identity;

  CheckpointWriter(CheckpointStore store, TrainConfig config, TrainingIdentity identity) {
    this.store = store;
    this.config = config;
    this.identity = identity;
  }

  boolean due(TrainingState before, TrainingState now) {
    return now.passed(config.checkpointSteps(), before);
  }

  /** Writes a checkpoint of the model as it is now. */
  void save(TrainedModel model, TrainingState state, boolean best) {
    Map<String, Object> fields = new LinkedHashMap<>(identity.fields());
    fields.putAll(state.fields());
    try (TrainedModel.Snapshot snapshot = model.snapshot()) {
      snapshot.save(store, state.step(), fields);
    }
    if (best) {
      store.markBest(state.step());
    }
    store.prune(config.keepLast());
  }
}
