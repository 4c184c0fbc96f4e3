package caravan.pipeline.clean;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentStage;
import caravan.pipeline.Documents;
import caravan.pipeline.Tagged;
import caravan.pipeline.text.Drop;

/**
 * Normalizes each document, identifies its language, drops it or keeps it by the rules of that
 * language, and masks personal data in what is kept.
 */
public final class CleanStage implements DocumentStage {
  private final Cleaner cleaner;

  /** For settings that name no list files and learn nothing. */
  public CleanStage(CleanConfig config) {
    this(new Cleaner(config));
  }

  public CleanStage(Cleaner cleaner) {
    this.cleaner = cleaner;
  }

  @Override
  public String name() {
    return "clean";
  }

  @Override
  public Tagged tag(Document document) {
    Cleaner.Cleaned cleaned = cleaner.clean(document);
    String text = document.text();
    return new Tagged(
        cleaned.document(),
        cleaned.drop().map(Drop::reason).orElse(Documents.KEPT),
        cleaned.drop().map(Drop::detail).orElse(""),
        text.codePointCount(0, text.length()),
        cleaned.edits());
  }
}
