package caravan.jobs;

import java.time.Duration;
import java.util.Optional;
import org.apache.spark.executor.TaskMetrics;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerApplicationEnd;
import org.apache.spark.scheduler.SparkListenerJobEnd;
import org.apache.spark.scheduler.SparkListenerJobStart;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import scala.collection.JavaConverters;

/** Progress of Spark's jobs, from what its tasks report when they end. */
final class SparkProgress extends SparkListener {
  private final String name;
  private final Progress progress;
  private long jobStart;
  private int runningJobs;
  private int tasks;
  private int tasksDone;
  private long recordsRead;
  private long bytesRead;
  private long recordsWritten;

  SparkProgress(String name) {
    this.name = name;
    this.progress = new Progress(this::line);
  }

  @Override
  public synchronized void onJobStart(SparkListenerJobStart start) {
    if (runningJobs++ == 0) {
      jobStart = System.nanoTime();
      tasks = 0;
      tasksDone = 0;
      recordsRead = 0;
      bytesRead = 0;
      recordsWritten = 0;
    }
    JavaConverters.seqAsJavaList(start.stageInfos()).forEach(stage -> tasks += stage.numTasks());
  }

  @Override
  public synchronized void onTaskEnd(SparkListenerTaskEnd end) {
    tasksDone++;
    TaskMetrics metrics = end.taskMetrics();
    if (metrics != null) {
      recordsRead += metrics.inputMetrics().recordsRead();
      bytesRead += metrics.inputMetrics().bytesRead();
      recordsWritten += metrics.outputMetrics().recordsWritten();
    }
  }

  @Override
  public synchronized void onJobEnd(SparkListenerJobEnd end) {
    runningJobs--;
  }

  @Override
  public void onApplicationEnd(SparkListenerApplicationEnd end) {
    progress.close();
  }

  private synchronized Optional<String> line() {
    if (runningJobs == 0) {
      return Optional.empty();
    }
    Duration elapsed = Duration.ofNanos(System.nanoTime() - jobStart);
    double seconds = Math.max(1e-3, elapsed.toMillis() / 1e3);
    StringBuilder line =
        new StringBuilder(
            "%s: %,d of %,d tasks, %s".formatted(name, tasksDone, tasks, Progress.clock(elapsed)));
    if (tasksDone > 0 && tasksDone < tasks) {
      Duration left = Duration.ofMillis(elapsed.toMillis() * (tasks - tasksDone) / tasksDone);
      line.append(", about ").append(Progress.clock(left)).append(" left");
    }
    if (recordsRead > 0) {
      line.append(
          ", %,d documents read, %.1f MB at %.1f MB/s"
              .formatted(recordsRead, bytesRead / 1e6, bytesRead / 1e6 / seconds));
    }
    if (recordsWritten > 0) {
      line.append(", %,d written".formatted(recordsWritten));
    }
    return Optional.of(line.toString());
  }
}
