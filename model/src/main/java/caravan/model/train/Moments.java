package caravan.model.train;

import caravan.model.checkpoint.CheckpointTensors;
import caravan.model.checkpoint.Directory;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;

/** What becomes of a worker's optimizer state between two rounds. */
sealed interface Moments extends Serializable {
  /** They are averaged and travel with the parameters. */
  Moments AVERAGE = new Averaged();

  /** Whether they travel with the parameters. */
  boolean travel();

  /**
   * Before a worker's first step of a round; the graph has the round's parameters and step count.
   *
   * @return what the user should know; empty for nothing
   */
  String begin(ComputationGraph graph, int worker);

  /** After its last step. */
  void end(ComputationGraph graph, int worker);

  /** Forgets all that belongs to other steps than these. */
  default void keep(Set<Integer> steps) {}

  /**
   * The setting's.
   *
   * @param output the training's directory
   */
  static Moments of(TrainConfig config, String output, Configuration hadoop) {
    return switch (config.moments()) {
      case "reset" -> new Reset();
      case "local" -> new Local(output + "/moments", new SerializableConfiguration(hadoop));
      default -> AVERAGE;
    };
  }

  private static FlatOptimizer optimizer(ComputationGraph graph) {
    return ((FlatUpdater<?>) graph.getUpdater().getUpdaterBlocks().get(0).getGradientUpdater())
        .getConfig();
  }

  /** The state of a step that none has come before. */
  private static void reset(ComputationGraph graph) {
    if (GraphMemory.updaterState(graph) > 0) {
      graph.getUpdater().getStateViewArray().assign(0);
    }
    optimizer(graph).stateBegins(graph.getConfiguration().getIterationCount());
  }

  /** The workers' means. */
  record Averaged() implements Moments {
    @Override
    public boolean travel() {
      return true;
    }

    @Override
    public String begin(ComputationGraph graph, int worker) {
      return "";
    }

    @Override
    public void end(ComputationGraph graph, int worker) {
      // They are part of what is exchanged.
    }
  }

  /** Zero at every round's start, the bias correction with them. */
  record Reset() implements Moments {
    @Override
    public boolean travel() {
      return false;
    }

    @Override
    public String begin(ComputationGraph graph, int worker) {
      reset(graph);
      return "";
    }

    @Override
    public void end(ComputationGraph graph, int worker) {
      // Nobody will ask for them.
    }
  }

  /**
   * Each worker's own, as in DiLoCo (arXiv 2311.08105), in a file per worker and round, so that a
   * task finds its worker's on whichever executor it runs.
   *
   * @param directory that all executors share
   */
  record Local(String directory, SerializableConfiguration hadoop) implements Moments {
    /** Written last: the step at which the state was all zeros, as a number. */
    private static final String BEGAN = "began";

    @Override
    public boolean travel() {
      return false;
    }

    @Override
    public String begin(ComputationGraph graph, int worker) {
      int step = graph.getConfiguration().getIterationCount();
      int vectors = optimizer(graph).stateVectors();
      reset(graph);
      if (step == 0 || vectors == 0) {
        return "";
      }
      String place = place(step, worker);
      Directory files = Directory.of(place, hadoop.value());
      if (!files.exists(BEGAN)) {
        return "worker "
            + worker
            + " begins step "
            + step
            + " with moments of zero: there are none in "
            + place
            + "; is train.moments=local's output shared by all executors?";
      }
      long length = GraphMemory.updaterState(graph) / vectors;
      CheckpointTensors.readMoments(place, hadoop.value(), state(graph), vectors, length);
      String began = new String(files.bytes(BEGAN), StandardCharsets.UTF_8).strip();
      optimizer(graph).stateBegins(Integer.parseInt(began));
      return "";
    }

    @Override
    public void end(ComputationGraph graph, int worker) {
      int vectors = optimizer(graph).stateVectors();
      if (vectors == 0) {
        return;
      }
      String place = place(graph.getConfiguration().getIterationCount(), worker);
      long length = GraphMemory.updaterState(graph) / vectors;
      CheckpointTensors.writeMoments(
          place,
          hadoop.value(),
          caravan.model.checkpoint.FloatSource.of(state(graph)),
          vectors,
          length);
      String began = optimizer(graph).stateBegan() + "\n";
      Directory.of(place, hadoop.value()).replace(BEGAN, began.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void keep(Set<Integer> steps) {
      Path root = new Path(directory);
      try {
        FileSystem files = root.getFileSystem(hadoop.value());
        if (!files.exists(root)) {
          return;
        }
        for (FileStatus step : files.listStatus(root)) {
          if (steps.stream().noneMatch(kept -> step.getPath().getName().equals(name(kept)))) {
            files.delete(step.getPath(), true);
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException("cannot delete old moments in " + directory, e);
      }
    }

    private static FloatPointer state(ComputationGraph graph) {
      return new FloatPointer(GraphMemory.floats(graph.getUpdater().getStateViewArray()));
    }

    private String place(int step, int worker) {
      return directory + "/" + name(step) + String.format("/worker-%05d", worker);
    }

    private static String name(int step) {
      return String.format("step-%08d", step);
    }
  }
}
