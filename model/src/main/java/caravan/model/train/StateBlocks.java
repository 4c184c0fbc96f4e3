package caravan.model.train;

import caravan.model.train.Exchange.WorkerReport;
import java.io.Serializable;
import java.util.List;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.storage.BlockResult;
import org.apache.spark.storage.RDDBlockId;
import org.deeplearning4j.nn.graph.ComputationGraph;
import scala.Option;
import scala.reflect.ClassTag$;

/**
 * The state between two rounds, as the driver knows it: slice i is block i of an RDD, on the disk
 * of an executor. It is freed when the last of its users has released it.
 */
final class StateBlocks {

  /** Part of a block, which holds a {@link Head}, {@link Values} and maybe a {@link Velocity}. */
  sealed interface Part extends Serializable {}

  /**
   * What the driver wants of a block.
   *
   * @param reports of the workers that made it, in worker order; with the first slice only
   */
  record Head(List<WorkerReport> reports) implements Part {}

  /** A slice's floats. */
  record Values(byte[] bytes) implements Part {}

  /** The outer optimizer's velocity of a slice of the parameters, where there is one. */
  record Velocity(byte[] bytes) implements Part {}

  /** In what a task says that misses a block: the state has to be made again. */
  static final String LOST = "the executor that held it was lost";

  private final JavaRDD<Part> rdd;
  private final Slicing slicing;
  private final int step;
  private int users = 1;

  /**
   * @param rdd persisted, one slice per partition
   * @param step updates done so far
   */
  StateBlocks(JavaRDD<Part> rdd, Slicing slicing, int step) {
    this.rdd = rdd;
    this.slicing = slicing;
    this.step = step;
  }

  int step() {
    return step;
  }

  Slicing slicing() {
    return slicing;
  }

  JavaRDD<Part> rdd() {
    return rdd;
  }

  /** What tasks read it by. */
  Reader reader() {
    return new Reader(rdd.id(), slicing, step);
  }

  synchronized StateBlocks retain() {
    users++;
    return this;
  }

  synchronized void release() {
    if (--users == 0) {
      rdd.unpersist(false);
    }
  }

  /**
   * Reads slices in a task, from this executor or another.
   *
   * @param rdd id of the RDD whose blocks they are
   */
  record Reader(int rdd, Slicing slicing, int step) implements Serializable {
    /** Makes a graph's parameters, and its updater state where it is there, those of the slices. */
    void into(ComputationGraph graph) {
      copy(graph, slicing.count());
      graph.getConfiguration().setIterationCount(step);
    }

    /** Makes a graph's parameters those of the slices. */
    void parametersInto(ComputationGraph graph) {
      copy(graph, slicing.parameterSlices());
    }

    private void copy(ComputationGraph graph, int slices) {
      for (int i = 0; i < slices; i++) {
        GraphMemory.write(graph, slicing.slice(i), slice(i));
      }
    }

    /**
     * A slice's floats.
     *
     * @throws IllegalStateException when its executor was lost
     */
    byte[] slice(int index) {
      return part(index, Values.class).bytes();
    }

    /** The velocity of a slice of the parameters. */
    byte[] velocity(int index) {
      return part(index, Velocity.class).bytes();
    }

    private <T extends Part> T part(int index, Class<T> wanted) {
      RDDBlockId id = new RDDBlockId(rdd, index);
      Option<BlockResult> found =
          SparkEnv.get().blockManager().get(id, ClassTag$.MODULE$.apply(Part.class));
      if (found.isEmpty()) {
        throw new IllegalStateException("slice " + index + " of the model's state: " + LOST);
      }
      T part = null;
      // To the end: only then are the block's file and lock released.
      for (scala.collection.Iterator<?> parts = found.get().data(); parts.hasNext(); ) {
        Object next = parts.next();
        if (wanted.isInstance(next)) {
          part = wanted.cast(next);
        }
      }
      if (part == null) {
        throw new IllegalStateException(
            "slice " + index + " of the model's state: its block has no " + wanted.getSimpleName());
      }
      return part;
    }
  }
}
