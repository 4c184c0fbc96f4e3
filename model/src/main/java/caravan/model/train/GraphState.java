package caravan.model.train;

import java.io.Serializable;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * What a graph has learned, as plain arrays: INDArrays travel one float at a time under Java
 * serialization, these in bulk.
 *
 * @param parameters flattened parameters
 * @param updaterState flattened updater state; empty for updaters without one
 * @param step updates done so far
 */
record GraphState(float[] parameters, float[] updaterState, int step) implements Serializable {
  static GraphState of(ComputationGraph graph) {
    return new GraphState(
        floats(graph.params()),
        floats(graph.getUpdater().getStateViewArray()),
        graph.getConfiguration().getIterationCount());
  }

  /** Writes this state into a graph of the same configuration. */
  void into(ComputationGraph graph) {
    put("parameters", parameters, graph.params());
    put("updater state", updaterState, graph.getUpdater().getStateViewArray());
    graph.getConfiguration().setIterationCount(step);
  }

  private static float[] floats(INDArray array) {
    if (array == null) {
      return new float[0];
    }
    float[] values = new float[Math.toIntExact(array.length())];
    pointer(array).get(values);
    return values;
  }

  private static void put(String what, float[] values, INDArray array) {
    long length = array == null ? 0 : array.length();
    if (values.length != length) {
      throw new IllegalStateException(
          what + ": got " + values.length + " floats, the graph has " + length);
    }
    if (array != null) {
      pointer(array).put(values);
    }
  }

  private static FloatPointer pointer(INDArray array) {
    if (array.dataType() != DataType.FLOAT) {
      throw new IllegalStateException("graph of type " + array.dataType() + ", wanted FLOAT");
    }
    return new FloatPointer(array.data().addressPointer());
  }
}
