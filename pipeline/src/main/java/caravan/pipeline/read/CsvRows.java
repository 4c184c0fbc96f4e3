package caravan.pipeline.read;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * Rows of delimited values as RFC 4180 writes them, from UTF-8. Rows end with CR, LF or both; a
 * quoted field may hold delimiters, line breaks and doubled quotes; what stands behind its closing
 * quote belongs to it, as Python's csv has it. Blank lines are no rows.
 *
 * <p>A quote that never closes spoils one line: reading goes on behind it.
 */
final class CsvRows implements Closeable {
  /** No byte: nothing is quoted. */
  static final int NO_QUOTE = -1;

  private final ByteWindow window;
  private final int delimiter;
  private final int quote;

  /** Where each field begins and ends, in bytes from the row's start. */
  private final List<int[]> fields = new ArrayList<>();

  private int end;
  private int lines;
  private boolean unclosed;

  CsvRows(InputStream utf8, char delimiter, int quote, int maxRowBytes) {
    this.window = new ByteWindow(utf8, maxRowBytes);
    this.delimiter = delimiter;
    this.quote = quote;
  }

  /** Goes to the next row; false at the end. */
  boolean next() throws IOException {
    window.endRecord();
    if (window.offset() == 0
        && window.peek(2) >= 0
        && Records.hasByteOrderMark(window.bytes, window.at, window.limit)) {
      window.at += 3;
    }
    while (window.peek() == '\n' || window.peek() == '\r') {
      window.at++;
    }
    if (window.peek() < 0) {
      return false;
    }
    window.beginRecord();
    fields.clear();
    lines = 1;
    unclosed = false;
    while (field()) {
      window.at++;
    }
    end = rowOffset();
    if (unclosed && !window.tooLong()) {
      window.at = window.recordStart();
      toLineEnd();
      end = rowOffset();
    } else if (window.tooLong()) {
      toLineEnd();
    }
    return true;
  }

  /** Goes to the delimiter or line break behind a field; whether it is a delimiter. */
  private boolean field() throws IOException {
    int start = rowOffset();
    if (window.peek() == quote) {
      window.at++;
      toClosingQuote();
    }
    int c = window.peek();
    while (c >= 0 && c != delimiter && c != '\n' && c != '\r') {
      window.at++;
      c = window.peek();
    }
    if (!window.tooLong()) {
      fields.add(new int[] {start, rowOffset()});
    }
    return c == delimiter;
  }

  private void toClosingQuote() throws IOException {
    for (int c = window.peek(); c >= 0 && !window.tooLong(); c = window.peek()) {
      window.at++;
      lines += c == '\n' ? 1 : 0;
      if (c == quote) {
        if (window.peek() != quote) {
          return;
        }
        window.at++;
      }
    }
    unclosed = true;
  }

  private void toLineEnd() throws IOException {
    for (int c = window.peek(); c >= 0 && c != '\n' && c != '\r'; c = window.peek()) {
      window.at++;
    }
  }

  private int rowOffset() {
    return window.at - window.recordStart();
  }

  /** The bytes in which the row lies. */
  byte[] bytes() {
    return window.tooLong() ? window.record() : window.bytes;
  }

  int from() {
    return window.tooLong() ? 0 : window.recordStart();
  }

  int to() {
    return window.tooLong() ? window.record().length : window.recordStart() + end;
  }

  int fieldCount() {
    return fields.size();
  }

  /** A field's text, without its quotes. */
  String field(int index) {
    int from = from() + fields.get(index)[0];
    int to = from() + fields.get(index)[1];
    String text = Records.text(bytes(), from, to);
    if (text.isEmpty() || text.charAt(0) != quote) {
      return text;
    }
    StringBuilder unquoted = new StringBuilder(text.length());
    int i = 1;
    while (i < text.length()) {
      char c = text.charAt(i++);
      if (c != quote) {
        unquoted.append(c);
      } else if (i < text.length() && text.charAt(i) == quote) {
        unquoted.append(c);
        i++;
      } else {
        return unquoted.append(text, i, text.length()).toString();
      }
    }
    return unquoted.toString();
  }

  /** Lines that the row takes. */
  int lines() {
    return lines;
  }

  /** Whether a quote in the row never closes; the row is then its first line. */
  boolean isUnclosed() {
    return unclosed;
  }

  /** Whether the row is longer than a row may be; then only its head is known. */
  boolean tooLong() {
    return window.tooLong();
  }

  @Override
  public void close() throws IOException {
    window.close();
  }
}
