package caravan.model.train;

import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.regex.Pattern;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.graph.ComputationGraph;

/**
 * Graphs that this JVM's training tasks use in turn, so that buffers are made once and not every
 * round. A task takes one, overwrites its state, and gives it back; a failed task's graph is left
 * to the garbage collector.
 */
final class WorkerGraphs {
  private static final Map<String, Queue<ComputationGraph>> IDLE = new ConcurrentHashMap<>();

  /** The counts in a configuration, which differ each round and which a task sets anew. */
  private static final Pattern COUNTS = Pattern.compile("\"(iteration|epoch)Count\"\\s*:\\s*\\d+");

  private WorkerGraphs() {}

  static ComputationGraph take(String configurationJson) {
    Queue<ComputationGraph> idle = IDLE.get(kind(configurationJson));
    ComputationGraph graph = idle == null ? null : idle.poll();
    if (graph == null) {
      graph = new ComputationGraph(ComputationGraphConfiguration.fromJson(configurationJson));
      graph.init();
    }
    return graph;
  }

  static void giveBack(String configurationJson, ComputationGraph graph) {
    IDLE.computeIfAbsent(kind(configurationJson), key -> new ConcurrentLinkedQueue<>()).add(graph);
  }

  private static String kind(String configurationJson) {
    return COUNTS.matcher(configurationJson).replaceAll("");
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
  }
}
