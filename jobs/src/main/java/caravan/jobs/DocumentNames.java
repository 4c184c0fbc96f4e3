package caravan.jobs;

import java.util.List;
import org.apache.spark.sql.SparkSession;

/** Training sequences that know which documents they were made from. */
public interface DocumentNames {
  /**
   * Documents that some sequences hold tokens of, as {@code id (source)}, in the data's order.
   *
   * @param sequences their numbers
   */
  List<String> documents(SparkSession spark, List<Long> sequences);
}
