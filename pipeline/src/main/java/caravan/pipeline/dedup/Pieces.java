package caravan.pipeline.dedup;

import java.io.Serializable;

/** A text as a row of pieces (lines, paragraphs, units) that are numbered from 0. */
interface Pieces {
  int count();

  /** Index in chars of a piece's first char. */
  int start(int piece);

  /** Index in chars after a piece's last char. */
  int end(int piece);

  /** Where the text is cut to take pieces away. */
  default int cutStart(int from, int to) {
    return start(from);
  }

  /** Where the rest of the text goes on when pieces are taken away. */
  int cutEnd(int from, int to);

  /** Makes pieces of a text. */
  interface Reader extends Serializable {
    Pieces of(String text);
  }
}
