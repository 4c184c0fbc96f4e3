package caravan.pipeline;

import java.util.Map;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

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

  /**
   * {@link #SCHEMA} and the verdict: {@code reason} is {@link #KEPT} or a drop reason such as
   * {@code too_short}; {@code detail} says why in words ({@code 12 code points, minimum 50}; empty
   * when kept); {@code inputCharacters} is the document's length in code points before the stage
   * edited it; {@code edits} the code points that edits took away, per edit reason.
   */
  public static final StructType TAGGED_SCHEMA =
      SCHEMA
          .add("reason", DataTypes.StringType, false)
          .add("detail", DataTypes.StringType, false)
          .add("inputCharacters", DataTypes.LongType, false)
          .add(
              "edits",
              DataTypes.createMapType(DataTypes.StringType, DataTypes.LongType, false),
              false);

  private Documents() {}

  public static Row toRow(Document d) {
    return RowFactory.create(d.id(), d.source(), d.path(), d.language(), d.text(), d.meta());
  }

  public static Row toTaggedRow(
      Document d, String reason, String detail, long inputCharacters, Map<String, Long> edits) {
    return RowFactory.create(
        d.id(),
        d.source(),
        d.path(),
        d.language(),
        d.text(),
        d.meta(),
        reason,
        detail,
        inputCharacters,
        edits);
  }

  public static Document fromRow(Row row) {
    return new Document(
        row.getAs("id"),
        row.getAs("source"),
        row.getAs("path"),
        row.getAs("language"),
        row.getAs("text"),
        row.getJavaMap(row.fieldIndex("meta")));
  }
}
