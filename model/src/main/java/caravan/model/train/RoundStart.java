package caravan.model.train;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.TaskContext;
import org.apache.spark.util.TaskCompletionListener;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.deeplearning4j.nn.graph.ComputationGraph;

/** A second copy of a worker's parameters as its round began, kept until its task is done. */
final class RoundStart {
  private static final Map<Long, BytePointer> OF_TASKS = new ConcurrentHashMap<>();

  private RoundStart() {}

  /** Keeps what the graph of the running task holds now. */
  static void keep(ComputationGraph graph) {
    long bytes = graph.numParams() * Float.BYTES;
    BytePointer copy = new BytePointer(bytes);
    Pointer.memcpy(copy, GraphMemory.floats(graph.params()), bytes);
    OF_TASKS.put(TaskContext.get().taskAttemptId(), copy);
    TaskCompletionListener free = task -> OF_TASKS.remove(task.taskAttemptId()).close();
    TaskContext.get().addTaskCompletionListener(free);
  }

  /** What the running task's worker began with. */
  static BytePointer get() {
    return OF_TASKS.get(TaskContext.get().taskAttemptId());
  }
}
