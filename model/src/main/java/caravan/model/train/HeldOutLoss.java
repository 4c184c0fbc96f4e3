package caravan.model.train;

import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import java.util.Optional;
import org.apache.spark.api.java.JavaSparkContext;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.deeplearning4j.nn.graph.ComputationGraph;

/**
 * What a training would measure before its next step, without training: the held-out loss of the
 * checkpoint it would go on from, or of its base. Nothing is written.
 *
 * @param loss mean cross entropy in nats per target token
 * @param step steps done by the checkpoint; 0 for the base
 * @param model path of the checkpoint; empty for the base
 */
public record HeldOutLoss(double loss, int step, Optional<String> model) {

  /**
   * @throws IllegalArgumentException when there are no held-out sequences, or neither a checkpoint
   *     nor a base, or the checkpoint is of another shape
   */
  public static HeldOutLoss measure(JavaSparkContext spark, Trainer.Setup setup) {
    SequenceSource heldOut =
        setup
            .validation()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "train.eval-only: got data without held-out sequences, wanted some; set"
                            + " tokenize.validation-fraction, or give validation="));
    Optional<CheckpointStore.Found> found =
        setup.resume().checkpoint(setup.output(), spark.hadoopConfiguration());
    if (found.isEmpty() && setup.base().isEmpty()) {
      throw new IllegalArgumentException(
          "train.eval-only: got no checkpoint in "
              + setup.output()
              + ", wanted one there or as"
              + " checkpoint=");
    }
    ComputationGraph graph = Trainer.initial(setup);
    found.ifPresent(of -> load(of, setup, graph));
    try (TrainedModel model = new DriverModel(spark, setup, graph);
        TrainedModel.Shared shared = model.share()) {
      double loss = Validator.heldOut(spark, setup.config(), heldOut).loss(shared);
      return new HeldOutLoss(
          loss, found.map(of -> (int) of.step()).orElse(0), found.map(CheckpointStore.Found::path));
    }
  }

  private static void load(
      CheckpointStore.Found found, Trainer.Setup setup, ComputationGraph graph) {
    if (!found.model().equals(setup.model())) {
      throw new IllegalArgumentException(
          "train.eval-only: got "
              + found.path()
              + " of the shape "
              + found.model()
              + ", wanted "
              + setup.model());
    }
    try (Checkpoint checkpoint = found.checkpoint()) {
      Pointer.memcpy(
          new FloatPointer(graph.params().data().addressPointer()),
          checkpoint.parameters(),
          graph.numParams() * Float.BYTES);
    }
  }
}
