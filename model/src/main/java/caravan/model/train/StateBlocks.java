package caravan.model.train;

import caravan.model.train.Exchange.WorkerReport;
import java.io.Serializable;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.storage.BlockId;
import org.apache.spark.storage.BlockManager;
import org.apache.spark.storage.BlockResult;
import org.apache.spark.storage.RDDBlockId;
import org.deeplearning4j.nn.graph.ComputationGraph;
import scala.Option;
import scala.collection.Seq;
import scala.reflect.ClassTag$;

/**
 * The state between two rounds, as the driver knows it: slice i is block i of an RDD, on the disk
 * of an executor. It is freed when the last of its users has released it.
 */
final class StateBlocks {

  /** Part of a block, which holds a {@link Head} first and then the slice's bytes. */
  sealed interface Part extends Serializable {}

  /**
   * What the driver wants of a block.
   *
   * @param reports of the workers that made it, in worker order; with the first slice only
   */
  record Head(List<WorkerReport> reports) implements Part {}

  /** A slice's floats. */
  record Values(byte[] bytes) implements Part {}

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

  /** Whether every slice still lies somewhere: a lost executor takes its blocks with it. */
  boolean isWhole() {
    BlockId[] blocks =
        IntStream.range(0, slicing.count())
            .mapToObj(slice -> new RDDBlockId(rdd.id(), slice))
            .toArray(BlockId[]::new);
    Seq<? extends Seq<?>> locations = SparkEnv.get().blockManager().master().getLocations(blocks);
    return IntStream.range(0, blocks.length).noneMatch(i -> locations.apply(i).isEmpty());
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
     * A slice's bytes.
     *
     * @throws IllegalStateException when its executor was lost
     */
    byte[] slice(int index) {
      BlockManager blocks = SparkEnv.get().blockManager();
      Option<BlockResult> found =
          blocks.get(new RDDBlockId(rdd, index), ClassTag$.MODULE$.apply(Part.class));
      if (found.isEmpty()) {
        throw new IllegalStateException(
            "slice " + index + " of the model's state: the executor that held it was lost");
      }
      byte[] bytes = null;
      // To the end: only then is the block's lock released.
      for (scala.collection.Iterator<?> parts = found.get().data(); parts.hasNext(); ) {
        if (parts.next() instanceof Values values && bytes == null) {
          bytes = values.bytes();
        }
      }
      if (bytes == null) {
        throw new IllegalStateException(
            "slice " + index + " of the model's state: its block is empty");
      }
      return bytes;
    }
  }
}
