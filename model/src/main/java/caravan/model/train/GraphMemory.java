package caravan.model.train;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Slices of a graph's parameters and updater state as raw bytes: little-endian floats, as on every
 * processor that ND4J runs on.
 */
final class GraphMemory {
  private GraphMemory() {}

  static byte[] read(ComputationGraph graph, Slicing.Slice slice) {
    return read(memory(graph, slice), slice);
  }

  /** A slice of a vector as long as the parameters. */
  static byte[] read(Pointer floats, Slicing.Slice slice) {
    byte[] bytes = new byte[slice.bytes()];
    at(floats, slice).get(bytes);
    return bytes;
  }

  static void write(ComputationGraph graph, Slicing.Slice slice, byte[] bytes) {
    if (bytes.length != slice.bytes()) {
      throw new IllegalStateException(
          "slice " + slice.index() + ": got " + bytes.length + " bytes, wanted " + slice.bytes());
    }
    at(memory(graph, slice), slice).put(bytes);
  }

  /** Floats of the updater state; 0 for updaters without one. */
  static long updaterState(ComputationGraph graph) {
    INDArray state = graph.getUpdater().getStateViewArray();
    return state == null ? 0 : state.length();
  }

  /** Parameters or updater state of a graph. */
  static Pointer floats(INDArray array) {
    if (array.dataType() != DataType.FLOAT) {
      throw new IllegalStateException("graph of type " + array.dataType() + ", wanted FLOAT");
    }
    return array.data().addressPointer();
  }

  private static Pointer memory(ComputationGraph graph, Slicing.Slice slice) {
    return floats(slice.ofUpdater() ? graph.getUpdater().getStateViewArray() : graph.params());
  }

  private static BytePointer at(Pointer floats, Slicing.Slice slice) {
    return new BytePointer(floats).getPointer(BytePointer.class, slice.offset() * Float.BYTES);
  }
}
