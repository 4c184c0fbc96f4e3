package caravan.pipeline.wikitext;

/**
 * A part of wikitext that belongs together. Content lies in {@code [contentStart, contentEnd)},
 * marks included in {@code [start, end)}.
 *
 * @param name of an element; empty for others
 */
record Span(Kind kind, String name, int start, int contentStart, int contentEnd, int end) {
  enum Kind {
    COMMENT,
    /** Two braces. */
    TEMPLATE,
    /** Three braces. */
    PARAMETER,
    LINK,
    EXTERNAL_LINK,
    TABLE,
    /** {@code -{…}-}. */
    VARIANT,
    /** An element that is left out. */
    DROPPED,
    /** An element whose content is no wikitext. */
    LITERAL,
    MATH
  }
}
