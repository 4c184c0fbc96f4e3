package caravan.pipeline.dedup;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.storage.StorageLevel;

/**
 * Rows kept on the executors, in memory or on their disks. Other than {@link Dataset#persist}, what
 * is built on {@link #rows} does not carry the plan that made them: Spark analyses and prints plans
 * with all their cached parts, so that ten rounds on top of each other would fill the driver's
 * memory with text. Lost rows are computed again.
 */
final class CachedRows implements AutoCloseable {
  private final Dataset<Row> cached;
  private final Dataset<Row> rows;
  private long count = -1;

  CachedRows(Dataset<Row> source) {
    cached = source.persist(StorageLevel.MEMORY_AND_DISK());
    rows = cached.sparkSession().createDataFrame(cached.toJavaRDD(), cached.schema());
  }

  Dataset<Row> rows() {
    return rows;
  }

  /** Their number; computes them if that has not happened yet. */
  long count() {
    if (count < 0) {
      count = rows.rdd().count();
    }
    return count;
  }

  @Override
  public void close() {
    cached.unpersist();
  }
}
