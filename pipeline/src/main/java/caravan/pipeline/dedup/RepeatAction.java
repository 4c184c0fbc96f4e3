package caravan.pipeline.dedup;

/** What becomes of text that several documents have. */
public enum RepeatAction {
  /** It is not looked for. */
  OFF,
  /** It stays; the documents' {@code meta} and the report tell of it. */
  REPORT,
  /** It goes, but for its first occurrence. */
  REMOVE
}
