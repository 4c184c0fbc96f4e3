package caravan.pipeline;

import static org.apache.spark.sql.functions.col;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/** The only place that knows how a {@link Document} lies in a Spark row. */
public final class Documents {
  /** Verdict of a document that stays. */
  public static final String KEPT = "kept";

  public static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.StringType, false)
          .add("source", DataTypes.StringType, false)
          .add("path", DataTypes.StringType, false)
          .add("language", DataTypes.StringType, false)
          .add("text", DataTypes.StringType, false)
          .add(
              "meta",
              DataTypes.createMapType(DataTypes.StringType, DataTypes.StringType, false),
              false);

  /** Drop reason: bytes that are not UTF-8. */
  public static final String INVALID_UTF8 = "invalid_utf8";

  /** Drop reason: not a record of the file's format, or without its text or id. */
  public static final String BROKEN_RECORD = "broken_record";

  /** Drop reason: longer than {@code read.max-document-characters}. */
  public static final String TOO_LARGE = "too_large";

  /** Drop reason: of a crawl, what is no page with text: a picture, an error message. */
  public static final String NOT_A_PAGE = "not_a_page";

  /** Drop reason: of a wiki, a page that is no article: a template, a discussion. */
  public static final String NOT_AN_ARTICLE = "not_an_article";

  /** Drop reason: of a wiki, a page that only leads to another. */
  public static final String REDIRECT = "redirect";

  /** Drop reason: of a wiki, a page that only tells meanings of its title apart. */
  public static final String DISAMBIGUATION = "disambiguation";

  /** The reasons that count against {@code read.max-broken-fraction}. */
  static final Set<String> BROKEN_REASONS = new TreeSet<>(Set.of(BROKEN_RECORD, INVALID_UTF8));

  private static final String UNREADABLE_REASON = "caravan.unreadable.reason";
  private static final String UNREADABLE_DETAIL = "caravan.unreadable.detail";

  private Documents() {}

  /**
   * A record that its reader could not make a document of, with the raw record as its text. It
   * travels among the documents, marked in {@code meta}, so that one pass over the input yields
   * both.
   */
  public static Document unreadable(
      String id, String source, String path, String raw, String reason, String detail) {
    return new Document(
        id, source, path, "", raw, Map.of(UNREADABLE_REASON, reason, UNREADABLE_DETAIL, detail));
  }

  /** The verdict on an unreadable record; empty for a document. */
  public static Optional<Tagged> taggedIfUnreadable(Document d) {
    return Optional.ofNullable(d.meta().get(UNREADABLE_REASON))
        .map(
            reason -> {
              Document raw =
                  new Document(d.id(), d.source(), d.path(), d.language(), d.text(), Map.of());
              String detail = d.meta().get(UNREADABLE_DETAIL);
              long characters = d.text().codePointCount(0, d.text().length());
              return new Tagged(raw, reason, detail, characters, Map.of());
            });
  }

  /** Why a record is unreadable, such as {@link #BROKEN_RECORD}; null in rows of documents. */
  public static Column unreadableReason() {
    return col("meta").getItem(UNREADABLE_REASON);
  }

  /** Why a record is unreadable, such as {@link #BROKEN_RECORD}; empty for a document. */
  public static Optional<String> unreadableReason(Document d) {
    return Optional.ofNullable(d.meta().get(UNREADABLE_REASON));
  }

  /** Whether this reason to be unreadable counts against {@code read.max-broken-fraction}. */
  public static boolean isBroken(String reason) {
    return BROKEN_REASONS.contains(reason);
  }

  /** What is wrong with an unreadable record, in words; null in rows of documents. */
  public static Column unreadableDetail() {
    return col("meta").getItem(UNREADABLE_DETAIL);
  }

  public static Row toRow(Document d) {
    return RowFactory.create(
        d.id(), d.source(), d.path(), d.language(), d.text(), scalaMap(d.meta()));
  }

  /** Spark takes no Java map in a row. */
  private static <V> scala.collection.Map<String, V> scalaMap(Map<String, V> map) {
    return JavaConverters.mapAsScalaMap(map);
  }

  public static Document fromRow(Row row) {
    return new Document(
        row.getAs("id"),
        row.getAs("source"),
        row.getAs("path"),
        row.getAs("language"),
        row.getAs("text"),
        new HashMap<>(row.getJavaMap(row.fieldIndex("meta"))));
  }
}
