package caravan.model.train;

import caravan.model.LlamaGraph;
import caravan.model.LlamaOutput;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.regex.Pattern;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.util.TaskFailureListener;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.graph.ComputationGraph;

/**
 * Graphs that this JVM's training tasks use in turn, so that buffers are made once and not every
 * round. A task takes one, overwrites its state, and gives it back; a failed task's graph is left
 * to the garbage collector, its engine closed.
 */
final class WorkerGraphs {
  private static final Map<String, Queue<ComputationGraph>> IDLE = new ConcurrentHashMap<>();

  /** Spark's name of the resource. */
  private static final String GPU = "gpu";

  /** The counts in a configuration, which differ each round and which a task sets anew. */
  private static final Pattern COUNTS = Pattern.compile("\"(iteration|epoch)Count\"\\s*:\\s*\\d+");

  private WorkerGraphs() {}

  /**
   * A graph for this task: on the GPU that Spark gave it, if it gave one. When the task fails, the
   * graph's engine is closed, so that its memory is there for the next try.
   */
  static ComputationGraph take(String configurationJson) {
    Queue<ComputationGraph> idle = IDLE.get(kind(configurationJson));
    ComputationGraph graph = idle == null ? null : idle.poll();
    if (graph == null) {
      graph = new ComputationGraph(ComputationGraphConfiguration.fromJson(configurationJson));
      graph.init();
      LlamaOutput output = LlamaGraph.output(graph);
      output.useDevice(gpu());
      output.layerConf().adaptation().map(FrozenBases::open).ifPresent(output::useBase);
    }
    closeOnFailure(graph);
    return graph;
  }

  private static void closeOnFailure(ComputationGraph graph) {
    TaskContext task = TaskContext.get();
    if (task != null) {
      TaskFailureListener close = (context, error) -> LlamaGraph.output(graph).close();
      task.addTaskFailureListener(close);
    }
  }

  /**
   * Index of the GPU that Spark gave to the running task; 0 where it hands out none.
   *
   * @throws IllegalStateException when its address is not an index
   */
  private static int gpu() {
    TaskContext task = TaskContext.get();
    ResourceInformation gpu = task == null ? null : task.resourcesJMap().get(GPU);
    if (gpu == null || gpu.addresses().length == 0) {
      return 0;
    }
    String address = gpu.addresses()[0];
    try {
      return Integer.parseInt(address);
    } catch (NumberFormatException e) {
      throw new IllegalStateException(
          "Spark's GPU address: got "
              + address
              + ", wanted an index such as 0; let spark.executor.resource.gpu.discoveryScript print"
              + " indices");
    }
  }

  static void giveBack(String configurationJson, ComputationGraph graph) {
    IDLE.computeIfAbsent(kind(configurationJson), key -> new ConcurrentLinkedQueue<>()).add(graph);
  }

  private static String kind(String configurationJson) {
    return gpu() + " " + COUNTS.matcher(configurationJson).replaceAll("");
  }

  /** Frees the idle graphs of this JVM: a driver with embedded workers goes on to other work. */
  static void release() {
    for (Queue<ComputationGraph> idle : IDLE.values()) {
      for (ComputationGraph graph = idle.poll(); graph != null; graph = idle.poll()) {
        for (Layer layer : graph.getLayers()) {
          layer.close();
        }
        graph.close();
      }
    }
    FrozenBases.release();
  }
}
