package caravan.model.train;

import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.storage.BlockData;
import org.apache.spark.storage.BlockManager;
import org.apache.spark.storage.RDDBlockId;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.io.ChunkedByteBuffer;
import org.bytedeco.javacpp.BytePointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import scala.Option;
import scala.reflect.ClassTag$;

/**
 * The state between two rounds, as the driver knows it: slice i is block i of an id that Spark
 * would give to an RDD, on the disk of an executor, floats and nothing else. The velocity of the
 * outer optimizer, where there is one, lies in further blocks. They are freed when the last of
 * their users has released them.
 */
final class StateBlocks {
  /** In what a task says that misses a block: the state has to be made again. */
  static final String LOST = "the executor that held it was lost";

  private final SparkContext spark;
  private final Blocks blocks;
  private final int step;
  private int users = 1;

  /**
   * @param blocks that tasks have stored
   * @param step updates done so far
   */
  StateBlocks(SparkContext spark, Blocks blocks, int step) {
    this.spark = spark;
    this.blocks = blocks;
    this.step = step;
  }

  int step() {
    return step;
  }

  Slicing slicing() {
    return blocks.slicing;
  }

  /** What tasks read it by. */
  Reader reader() {
    return new Reader(blocks, step);
  }

  synchronized StateBlocks retain() {
    users++;
    return this;
  }

  synchronized void release() {
    if (--users == 0) {
      blocks.remove(spark);
    }
  }

  /**
   * The blocks of a state, as tasks store and read them.
   *
   * @param id of them all
   */
  record Blocks(int id, Slicing slicing) implements Serializable {
    /** Blocks of which there are none yet. */
    static Blocks create(SparkContext spark, Slicing slicing) {
      return new Blocks(spark.newRddId(), slicing);
    }

    void remove(SparkContext spark) {
      spark.unpersistRDD(id, false);
    }

    RDDBlockId slice(int index) {
      return new RDDBlockId(id, index);
    }

    RDDBlockId velocity(int slice) {
      return new RDDBlockId(id, slicing.count() + slice);
    }

    void storeSlice(int index, ByteBuffer floats) {
      store(slice(index), floats);
    }

    void storeVelocity(int slice, ByteBuffer floats) {
      store(velocity(slice), floats);
    }

    private static void store(RDDBlockId block, ByteBuffer floats) {
      boolean stored =
          SparkEnv.get()
              .blockManager()
              .putBytes(
                  block,
                  new ChunkedByteBuffer(RawBytes.chunks(floats)),
                  StorageLevel.DISK_ONLY(),
                  true,
                  ClassTag$.MODULE$.Byte());
      if (!stored) {
        throw new IllegalStateException("cannot store " + block + " on this executor's disk");
      }
    }
  }

  /** Reads slices in a task, from this executor or another. */
  record Reader(Blocks blocks, int step) implements Serializable {
    Slicing slicing() {
      return blocks.slicing;
    }

    /** Makes a graph's parameters, and its updater state where it is there, those of the slices. */
    void into(ComputationGraph graph) {
      copy(graph, slicing().count());
      graph.getConfiguration().setIterationCount(step);
    }

    /** Makes a graph's parameters those of the slices. */
    void parametersInto(ComputationGraph graph) {
      copy(graph, slicing().parameterSlices());
    }

    private void copy(ComputationGraph graph, int slices) {
      for (int i = 0; i < slices; i++) {
        Slicing.Slice slice = slicing().slice(i);
        BytePointer memory = GraphMemory.at(graph, slice);
        read(blocks.slice(i), in -> RawBytes.read(in, memory, slice.bytes()));
      }
    }

    /**
     * A slice's floats.
     *
     * @throws IllegalStateException when its executor was lost
     */
    byte[] slice(int index) {
      return bytes(blocks.slice(index), slicing().slice(index));
    }

    /** The velocity of a slice of the parameters. */
    byte[] velocity(int index) {
      return bytes(blocks.velocity(index), slicing().slice(index));
    }

    private static byte[] bytes(RDDBlockId block, Slicing.Slice slice) {
      byte[] bytes = new byte[slice.bytes()];
      read(block, in -> RawBytes.read(in, bytes));
      return bytes;
    }

    private interface Sink {
      void take(InputStream in) throws IOException;
    }

    private static void read(RDDBlockId block, Sink sink) {
      BlockManager manager = SparkEnv.get().blockManager();
      Option<BlockData> here = manager.getLocalBytes(block);
      if (here.isDefined()) {
        try (InputStream in = here.get().toInputStream()) {
          sink.take(in);
        } catch (IOException e) {
          throw new UncheckedIOException(block + " cannot be read from this executor's disk", e);
        } finally {
          manager.releaseLockAndDispose(block, here.get(), Option.apply(TaskContext.get()));
        }
      } else if (manager.getRemoteBlock(block, found -> take(block, found, sink)).isEmpty()) {
        throw new IllegalStateException(block + " of the model's state: " + LOST);
      }
    }

    private static boolean take(RDDBlockId block, ManagedBuffer found, Sink sink) {
      try (InputStream in = found.createInputStream()) {
        sink.take(in);
        return true;
      } catch (IOException e) {
        throw new IllegalStateException(block + " of the model's state: " + LOST, e);
      }
    }
  }
}
