package caravan.pipeline.wikitext;

import java.util.ArrayList;
import java.util.List;

/** A span whose content is being written. */
final class Frame {
  final Span span;

  /** Where the span's content begins in the output. */
  int start;

  /** Of a link: whether its label is being written, not its target. */
  boolean label;

  /** Of a template: what remains of it, and its unnamed arguments so far. */
  String pattern;

  final List<String> arguments = new ArrayList<>();

  /** Of a template: whether the current argument has a name. */
  boolean named;

  Frame(Span span, int start) {
    this.span = span;
    this.start = start;
  }
}
