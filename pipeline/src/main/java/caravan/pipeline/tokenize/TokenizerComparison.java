package caravan.pipeline.tokenize;

import static org.apache.spark.sql.functions.char_length;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.pmod;
import static org.apache.spark.sql.functions.sum;
import static org.apache.spark.sql.functions.xxhash64;

import caravan.pipeline.Documents;
import caravan.pipeline.text.LanguageDetector;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** What an extended vocabulary changes, counted on documents by language. */
final class TokenizerComparison {
  private static final int HASHES = 1 << 30;

  private static final StructType COUNTS =
      new StructType()
          .add("language", DataTypes.StringType, false)
          .add("bytes", DataTypes.LongType, false)
          .add("before", DataTypes.LongType, false)
          .add("after", DataTypes.LongType, false)
          .add("added", DataTypes.LongType, false)
          .add("unchanged", DataTypes.LongType, false);

  /**
   * Documents of one language.
   *
   * @param bytes of UTF-8
   * @param tokensBefore by the base
   * @param tokensAfter by the extended vocabulary
   * @param newTokens how many of those the base does not have
   * @param unchangedDocuments whose ids are the base's
   */
  record Counts(
      long documents,
      long bytes,
      long tokensBefore,
      long tokensAfter,
      long newTokens,
      long unchangedDocuments) {

    double bytesPerTokenBefore() {
      return tokensBefore == 0 ? 0 : (double) bytes / tokensBefore;
    }

    double bytesPerTokenAfter() {
      return tokensAfter == 0 ? 0 : (double) bytes / tokensAfter;
    }
  }

  private final SentencePieceTokenizer base;
  private final SentencePieceTokenizer extended;
  private final long sampleCharacters;
  private final long seed;

  /**
   * @param sampleCharacters count on about so many code points, chosen by document
   */
  TokenizerComparison(
      SentencePieceTokenizer base,
      SentencePieceTokenizer extended,
      long sampleCharacters,
      long seed) {
    this.base = base;
    this.extended = extended;
    this.sampleCharacters = sampleCharacters;
    this.seed = seed;
  }

  /**
   * The counts by language; a document that names none gets the one that is detected.
   *
   * @param documents rows of {@link Documents#SCHEMA}; unreadable records are left out
   */
  Map<String, Counts> of(Dataset<Row> documents) {
    Dataset<Row> readable = documents.filter(Documents.unreadableReason().isNull());
    long characters =
        readable.agg(coalesce(sum(char_length(col("text"))), lit(0L))).first().getLong(0);
    Column place = pmod(xxhash64(lit(seed), col("source"), col("id")), lit(HASHES));
    double share = Math.min(1, (double) sampleCharacters / Math.max(1, characters));
    Measure measure = new Measure(base, extended);
    List<Row> sums =
        readable
            .filter(place.lt((long) (share * HASHES)))
            .select("language", "text")
            .mapPartitions((MapPartitionsFunction<Row, Row>) measure::each, Encoders.row(COUNTS))
            .groupBy("language")
            .agg(
                count(lit(1)),
                sum("bytes"),
                sum("before"),
                sum("after"),
                sum("added"),
                sum("unchanged"))
            .collectAsList();
    Map<String, Counts> counts = new TreeMap<>();
    for (Row row : sums) {
      counts.put(
          row.getString(0),
          new Counts(
              row.getLong(1),
              row.getLong(2),
              row.getLong(3),
              row.getLong(4),
              row.getLong(5),
              row.getLong(6)));
    }
    return counts;
  }

  /** Encodes a document by both vocabularies. */
  private record Measure(SentencePieceTokenizer base, SentencePieceTokenizer extended)
      implements Serializable {
    Iterator<Row> each(Iterator<Row> documents) {
      LanguageDetector detector = new LanguageDetector();
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return documents.hasNext();
        }

        @Override
        public Row next() {
          Row document = documents.next();
          String text = document.getAs("text");
          String named = document.getAs("language");
          return measured(named.isEmpty() ? detector.detect(text) : named, text);
        }
      };
    }

    private Row measured(String language, String text) {
      int[] before = base.encode(text);
      int[] after = extended.encode(text);
      return RowFactory.create(
          language,
          (long) text.getBytes(StandardCharsets.UTF_8).length,
          (long) before.length,
          (long) after.length,
          Arrays.stream(after).filter(id -> id >= base.vocabSize()).count(),
          Arrays.equals(before, after) ? 1L : 0L);
    }
  }
}
