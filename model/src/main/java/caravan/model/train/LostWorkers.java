package caravan.model.train;

import java.util.Collections;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.spark.ExceptionFailure;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Rounds that go on without the workers whose executor was lost: a second try of a worker's task
 * finds no data, so that worker has no part in the mean. A try that failed for another reason, such
 * as an exception of its own, fails the round.
 */
final class LostWorkers extends SparkListener {
  private static final Logger log = LoggerFactory.getLogger(LostWorkers.class);
  private static final long EVENTS_MILLIS = 10_000;

  private final SparkContext spark;
  private final AtomicReference<String> failure = new AtomicReference<>();

  LostWorkers(SparkContext spark) {
    this.spark = spark;
    spark.addSparkListener(this);
  }

  /** The data, for first tries only. */
  JavaRDD<MultiDataSet> skipping(JavaRDD<MultiDataSet> data) {
    failure.set(null);
    return data.mapPartitions(
        batches -> {
          TaskContext task = TaskContext.get();
          boolean again = task.attemptNumber() > 0 || task.stageAttemptNumber() > 0;
          return again ? Collections.emptyIterator() : batches;
        },
        true);
  }

  @Override
  public void onTaskEnd(SparkListenerTaskEnd task) {
    if (task.reason() instanceof ExceptionFailure thrown
        && !thrown.toErrorString().contains(StateBlocks.LOST)) {
      failure.compareAndSet(null, thrown.toErrorString());
    }
  }

  /**
   * Tells which part of the workers a round was made of.
   *
   * @throws IllegalStateException when one had failed by itself
   */
  void check(int had, int wanted) {
    try {
      spark.listenerBus().waitUntilEmpty(EVENTS_MILLIS);
    } catch (java.util.concurrent.TimeoutException e) {
      throw new IllegalStateException("Spark's events were not delivered in time", e);
    }
    String thrown = failure.get();
    if (thrown != null) {
      throw new IllegalStateException("a worker failed, its executor was not lost: " + thrown);
    }
    if (had < wanted) {
      log.warn(
          "a round is the mean of {} of {} workers: the others' executors were lost", had, wanted);
    }
  }
}
