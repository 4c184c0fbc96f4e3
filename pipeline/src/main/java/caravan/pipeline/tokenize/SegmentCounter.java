package caravan.pipeline.tokenize;

import static org.apache.spark.sql.functions.sum;

import caravan.pipeline.Documents;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;

/** Counts a corpus's segments on Spark's executors, in one pass over the documents. */
final class SegmentCounter {
  static final StructType COUNTS =
      new StructType()
          .add("segment", DataTypes.StringType, false)
          .add("count", DataTypes.LongType, false);

  /** Counted in the segments' stead; no segment holds a control character. */
  static final String RECORDS = "\0records";

  /** Records that are broken or not UTF-8, which count against read.max-broken-fraction. */
  static final String UNREADABLE = "\0unreadable";

  /** Records that their reader put aside for another reason: too large, no page, no article. */
  static final String PUT_ASIDE = "\0put aside";

  private SegmentCounter() {}

  /**
   * @param documents rows of {@link Documents#SCHEMA}; unreadable records and those put aside are
   *     counted and teach nothing
   */
  static CountedSegments count(Dataset<Row> documents, SegmentSplitter splitter) {
    Dataset<Row> counts =
        documents
            .select(documents.col("text"), Documents.unreadableReason().as("reason"))
            .mapPartitions(
                (MapPartitionsFunction<Row, Row>)
                    rows -> new PartialSums.Texts(rows, (row, sums) -> add(row, splitter, sums)),
                Encoders.row(COUNTS))
            .groupBy("segment")
            .agg(sum("count").as("count"));
    return new CountedSegments(counts.persist(StorageLevel.DISK_ONLY()));
  }

  private static void add(Row document, SegmentSplitter splitter, PartialSums.Texts sums) {
    sums.add(RECORDS, 1);
    if (document.isNullAt(1)) {
      splitter.split(document.getString(0), segment -> sums.add(segment, 1));
    } else {
      sums.add(Documents.isBroken(document.getString(1)) ? UNREADABLE : PUT_ASIDE, 1);
    }
  }
}
