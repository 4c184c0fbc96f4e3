package caravan.model.train;

import caravan.model.checkpoint.CheckpointStore;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * When a training's checkpoints are written, which is the best, and which stay. A copy of the model
 * is taken and written in the background while training goes on; one at a time.
 */
final class CheckpointWriter implements AutoCloseable {
  private static final double NANOS_PER_MINUTE = 60e9;

  private final CheckpointStore store;
  private final TrainConfig config;
  private final TrainingIdentity identity;
  private final ExecutorService background =
      Executors.newSingleThreadExecutor(
          task -> {
            Thread thread = new Thread(task, "checkpoint");
            thread.setDaemon(true);
            return thread;
          });
  private Future<?> writing = CompletableFuture.completedFuture(null);
  private int writingStep;
  private long savedNanos = System.nanoTime();

  CheckpointWriter(CheckpointStore store, TrainConfig config, TrainingIdentity identity) {
    this.store = store;
    this.config = config;
    this.identity = identity;
  }

  /**
   * Whether a checkpoint is to be written after a round.
   *
   * @throws IllegalStateException when the one before could not be written
   */
  boolean due(TrainingState before, TrainingState now) {
    if (writing.isDone()) {
      await();
    }
    double minutes = (System.nanoTime() - savedNanos) / NANOS_PER_MINUTE;
    boolean late =
        config.checkpointMinutes() > 0 && minutes >= config.checkpointMinutes() && writing.isDone();
    return late || now.passed(config.checkpointSteps(), before);
  }

  /**
   * Begins to write a checkpoint of the model as it is now, once the one before is written.
   *
   * @throws IllegalStateException when that could not be written
   */
  void save(TrainedModel model, TrainingState state) {
    await();
    TrainedModel.Snapshot snapshot = model.snapshot();
    writingStep = state.step();
    savedNanos = System.nanoTime();
    writing = background.submit(() -> write(snapshot, state));
  }

  private void write(TrainedModel.Snapshot snapshot, TrainingState state) {
    Map<String, Object> fields = new LinkedHashMap<>(identity.fields());
    fields.putAll(state.fields());
    try (snapshot) {
      snapshot.save(store, state.step(), fields);
    }
    if (state.bestStep() == state.step()) {
      store.markBest(state.step());
    }
    store.prune(state.step(), config.keepLast(), config.keepEvery());
  }

  /**
   * Waits for what is being written.
   *
   * @throws IllegalStateException when it could not be written
   */
  void await() {
    try {
      writing.get();
    } catch (ExecutionException e) {
      throw new IllegalStateException(
          "checkpoint of step "
              + writingStep
              + " could not be written to "
              + store.path(writingStep)
              + ": "
              + e.getCause().getMessage()
              + "; run again to go on from the one before",
          e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while a checkpoint was written", e);
    }
  }

  /** Ends the thread, after the checkpoint that it is writing. */
  @Override
  public void close() {
    background.shutdown();
    await();
  }
}
