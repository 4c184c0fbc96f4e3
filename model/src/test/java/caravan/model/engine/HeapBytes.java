package caravan.model.engine;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;

/** Bytes of heap that the calling thread and the engines' have asked for. */
public final class HeapBytes {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private HeapBytes() {}

  public static long allocated() {
    long[] ids =
        Arrays.stream(THREADS.getThreadInfo(THREADS.getAllThreadIds()))
            .filter(thread -> thread != null && thread.getThreadName().equals("llama-engine"))
            .mapToLong(thread -> thread.getThreadId())
            .toArray();
    return Arrays.stream(THREADS.getThreadAllocatedBytes(ids)).sum()
        + THREADS.getThreadAllocatedBytes(Thread.currentThread().getId());
  }
}
