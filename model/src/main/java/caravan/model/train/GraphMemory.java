package caravan.model.train;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * A graph's parameters and updater state in memory: little-endian floats, as on every processor
 * that ND4J runs on.
 */
final class GraphMemory {
  private GraphMemory() {}

  /** Where a slice of a graph's state lies. */
  static BytePointer at(ComputationGraph graph, Slicing.Slice slice) {
    return at(
        floats(slice.ofUpdater() ? graph.getUpdater().getStateViewArray() : graph.params()), slice);
  }

  /** Where a slice of a vector lies that is as long as the parameters. */
  static BytePointer at(Pointer floats, Slicing.Slice slice) {
    return new BytePointer(floats).getPointer(BytePointer.class, slice.offset() * Float.BYTES);
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
}
