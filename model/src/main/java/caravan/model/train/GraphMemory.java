package caravan.model.train;

import org.bytedeco.javacpp.BytePointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/** Slices of a graph's parameters and updater state as raw bytes, little-endian floats. */
final class GraphMemory {
  private GraphMemory() {}

  static byte[] read(ComputationGraph graph, Slicing.Slice slice) {
    byte[] bytes = new byte[slice.length() * Float.BYTES];
    pointer(graph, slice).get(bytes);
    return bytes;
  }

  static void write(ComputationGraph graph, Slicing.Slice slice, byte[] bytes) {
    if (bytes.length != slice.length() * Float.BYTES) {
      throw new IllegalStateException(
          "slice "
              + slice.index()
              + ": got "
              + bytes.length
              + " bytes, wanted "
              + slice.length()
              + " floats");
    }
    pointer(graph, slice).put(bytes);
  }

  /** Floats of the updater state; 0 for updaters without one. */
  static long updaterState(ComputationGraph graph) {
    INDArray state = graph.getUpdater().getStateViewArray();
    return state == null ? 0 : state.length();
  }

  private static BytePointer pointer(ComputationGraph graph, Slicing.Slice slice) {
    INDArray array = slice.ofUpdater() ? graph.getUpdater().getStateViewArray() : graph.params();
    if (array.dataType() != DataType.FLOAT) {
      throw new IllegalStateException("graph of type " + array.dataType() + ", wanted FLOAT");
    }
    return new BytePointer(array.data().addressPointer())
        .getPointer(BytePointer.class, slice.offset() * Float.BYTES);
  }
}
