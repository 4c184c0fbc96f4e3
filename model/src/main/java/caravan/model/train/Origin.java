package caravan.model.train;

import caravan.model.LlamaGraph;
import caravan.model.checkpoint.CheckpointTensors;
import caravan.model.checkpoint.TrainedShape;
import java.io.Serializable;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.util.SerializableConfiguration;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;

/** A state that a task can make at any time, so that what later rounds made of it can be too. */
sealed interface Origin extends Serializable {
  /** Updates done so far. */
  int step();

  /**
   * Makes a graph equal to it.
   *
   * @param moving whether there is an outer optimizer
   * @return its velocity, to be closed; empty where it is zero
   */
  Optional<FloatPointer> into(ComputationGraph graph, boolean moving);

  /** The random weights that the graph's configuration gives by its seed. */
  record Fresh() implements Origin {
    @Override
    public int step() {
      return 0;
    }

    @Override
    public Optional<FloatPointer> into(ComputationGraph graph, boolean moving) {
      LlamaGraph.reset(graph);
      return Optional.empty();
    }
  }

  /**
   * What a model's directory holds: a checkpoint, or parameters alone to start from.
   *
   * @param directory that all executors can read
   * @param vectors of the optimizer's state in it; 0 to start with all zeros
   */
  record Saved(
      String directory, SerializableConfiguration hadoop, TrainedShape model, int step, int vectors)
      implements Origin {
    @Override
    public Optional<FloatPointer> into(ComputationGraph graph, boolean moving) {
      LlamaGraph.reset(graph);
      Configuration files = hadoop.value();
      CheckpointTensors.readModel(
          directory, files, model, new FloatPointer(GraphMemory.floats(graph.params())));
      if (vectors > 0) {
        FloatPointer state =
            new FloatPointer(GraphMemory.floats(graph.getUpdater().getStateViewArray()));
        long length = graph.getUpdater().getStateViewArray().length() / vectors;
        CheckpointTensors.readMoments(directory, files, state, vectors, length);
      }
      if (!moving || !CheckpointTensors.hasOuter(directory, files)) {
        return Optional.empty();
      }
      FloatPointer velocity = new FloatPointer(graph.numParams());
      CheckpointTensors.readOuter(directory, files, velocity, graph.numParams());
      return Optional.of(velocity);
    }
  }
}
