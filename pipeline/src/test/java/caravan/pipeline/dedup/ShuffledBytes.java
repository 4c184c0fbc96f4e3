package caravan.pipeline.dedup;

import caravan.pipeline.TestSpark;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;

/** How much one task gets over the network. */
final class ShuffledBytes {
  private ShuffledBytes() {}

  /** The most bytes that a single task of some work reads from shuffles. */
  static long ofLargestTask(Runnable work) throws TimeoutException {
    AtomicLong most = new AtomicLong();
    SparkContext context = TestSpark.session().sparkContext();
    SparkListener listener =
        new SparkListener() {
          @Override
          public void onTaskEnd(SparkListenerTaskEnd end) {
            long bytes = end.taskMetrics().shuffleReadMetrics().totalBytesRead();
            most.accumulateAndGet(bytes, Math::max);
          }
        };
    context.addSparkListener(listener);
    try {
      work.run();
      context.listenerBus().waitUntilEmpty();
    } finally {
      context.removeSparkListener(listener);
    }
    return most.get();
  }
}
