package caravan.pipeline.clean;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Stage;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;

/**
 * Normalizes each document, identifies its language, drops it or keeps it by the rules of that
 * language, and masks personal data in what is kept.
 */
public record CleanStage(CleanConfig config) implements Stage {
  @Override
  public String name() {
    return "clean";
  }

  @Override
  public boolean tagsUnreadable() {
    return true;
  }

  @Override
  public Dataset<Row> apply(Dataset<Row> documents) {
    Cleaner cleaner = new Cleaner(config);
    return documents.map(
        (MapFunction<Row, Row>)
            row -> {
              Document document = Documents.fromRow(row);
              return Documents.taggedIfUnreadable(document)
                  .orElseGet(() -> tagged(document, cleaner.clean(document)));
            },
        Encoders.row(Documents.TAGGED_SCHEMA));
  }

  private static Row tagged(Document document, Cleaner.Cleaned cleaned) {
    String text = document.text();
    return Documents.toTaggedRow(
        cleaned.document(),
        cleaned.drop().map(drop -> drop.reason()).orElse(Documents.KEPT),
        cleaned.drop().map(drop -> drop.detail()).orElse(""),
        text.codePointCount(0, text.length()),
        cleaned.edits());
  }
}
