package caravan.pipeline.tokenize;

import static org.apache.spark.sql.functions.char_length;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.sum;

import caravan.pipeline.Documents;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import net.openhft.hashing.LongHashFunction;
import org.apache.spark.api.java.function.FilterFunction;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Counts a corpus's segments on Spark's executors; the driver sees the distinct ones alone. */
final class SegmentCounter {
  private static final StructType COUNTS =
      new StructType()
          .add("segment", DataTypes.StringType, false)
          .add("count", DataTypes.LongType, false);

  private final SegmentSplitter splitter;
  private final long sampleCharacters;
  private final long seed;

  SegmentCounter(SegmentSplitter splitter, long sampleCharacters, long seed) {
    this.splitter = splitter;
    this.sampleCharacters = sampleCharacters;
    this.seed = seed;
  }

  /**
   * @param documents rows of {@link Documents#SCHEMA}; unreadable records teach nothing
   */
  SegmentCounts count(Dataset<Row> documents) {
    SegmentSplitter shared = splitter;
    Dataset<Row> counted =
        sample(
                documents
                    .filter(Documents.unreadableReason().isNull())
                    .select("id", "source", "text"))
            .mapPartitions(
                (MapPartitionsFunction<Row, Row>) rows -> new PartialCounts(rows, shared),
                Encoders.row(COUNTS))
            .groupBy("segment")
            .agg(sum("count").as("count"));
    SegmentCounts counts = new SegmentCounts();
    counted.toLocalIterator().forEachRemaining(row -> counts.add(row.getString(0), row.getLong(1)));
    return counts;
  }

  /** All documents, or a part chosen by a hash of seed, source and id. */
  private Dataset<Row> sample(Dataset<Row> documents) {
    long characters =
        documents.agg(coalesce(sum(char_length(col("text"))), lit(0L))).first().getLong(0);
    if (characters <= sampleCharacters) return documents;
    double share = (double) sampleCharacters / characters;
    long hashSeed = seed;
    return documents.filter(
        (FilterFunction<Row>)
            row -> {
              String name = row.<String>getAs("source") + "\0" + row.<String>getAs("id");
              byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
              return (LongHashFunction.xx3(hashSeed).hashBytes(bytes) >>> 11) * 0x1p-53 < share;
            });
  }

  /** Adds up what a task sees, and hands it on whenever it grows large. */
  private static final class PartialCounts implements Iterator<Row> {
    private static final int LARGE = 1 << 17;

    private final Iterator<Row> documents;
    private final SegmentSplitter splitter;
    private final Map<String, Long> counts = new HashMap<>();
    private Iterator<Map.Entry<String, Long>> ready = List.<Map.Entry<String, Long>>of().iterator();

    PartialCounts(Iterator<Row> documents, SegmentSplitter splitter) {
      this.documents = documents;
      this.splitter = splitter;
    }

    @Override
    public boolean hasNext() {
      if (ready.hasNext()) return true;
      counts.clear();
      while (documents.hasNext() && counts.size() < LARGE) {
        String text = documents.next().getAs("text");
        splitter.split(text, segment -> counts.merge(segment, 1L, Long::sum));
      }
      ready = counts.entrySet().iterator();
      return ready.hasNext();
    }

    @Override
    public Row next() {
      if (!hasNext()) throw new java.util.NoSuchElementException();
      Map.Entry<String, Long> entry = ready.next();
      return RowFactory.create(entry.getKey(), entry.getValue());
    }
  }
}
