package caravan.jobs.chat;

import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;

/**
 * Rows of a CSV file as RFC 4180 has them: fields may be quoted, a quoted field may hold commas,
 * line breaks and doubled quotes. A line break inside quotes stays as it is; empty lines are no
 * rows.
 */
final class CsvRows implements Iterator<CsvRows.Row> {
  /**
   * @param line of its first character, from 1
   * @param raw the row as it lies in the file
   * @param form whether the quotes are as they should be
   */
  record Row(List<String> fields, long line, String raw, Form form) {}

  /** What can be wrong with a row's quotes. */
  enum Form {
    SOUND,
    /** Text follows a closing quote: a quote inside the field was not doubled. */
    STRAY_QUOTE,
    /** The file ended inside quotes: where the next row would begin cannot be known. */
    UNCLOSED_QUOTE
  }

  private static final int END = -1;

  private final Reader in;
  private final StringBuilder raw = new StringBuilder();
  private int ahead;
  private Form form;
  private long line = 1;

  /**
   * @param in buffered text
   */
  CsvRows(Reader in) {
    this.in = in;
    this.ahead = read();
    skipEmptyLines();
  }

  @Override
  public boolean hasNext() {
    return ahead != END;
  }

  @Override
  public Row next() {
    if (!hasNext()) {
      throw new NoSuchElementException("no row after the last");
    }
    raw.setLength(0);
    form = Form.SOUND;
    long firstLine = line;
    List<String> fields = new ArrayList<>();
    fields.add(field());
    while (ahead == ',') {
      take();
      fields.add(field());
    }
    Row row = new Row(fields, firstLine, raw.toString(), form);
    skipEmptyLines();
    return row;
  }

  /** One field; stops before the comma, the line break or the end. */
  private String field() {
    StringBuilder value = new StringBuilder();
    boolean quoted = ahead == '"';
    if (quoted) {
      takeQuoted(value);
    }
    while (ahead != ',' && ahead != '\n' && ahead != '\r' && ahead != END) {
      form = quoted && form == Form.SOUND ? Form.STRAY_QUOTE : form;
      value.append((char) take());
    }
    return value.toString();
  }

  private void takeQuoted(StringBuilder value) {
    take();
    while (ahead != END) {
      int c = take();
      if (c == '"' && ahead != '"') {
        return;
      }
      if (c == '"') {
        take();
      }
      value.append((char) c);
    }
    form = Form.UNCLOSED_QUOTE;
  }

  private void skipEmptyLines() {
    while (ahead == '\n' || ahead == '\r') {
      ahead = read();
    }
  }

  private int take() {
    int c = ahead;
    raw.append((char) c);
    ahead = read();
    return c;
  }

  private int read() {
    try {
      line += ahead == '\n' ? 1 : 0;
      return in.read();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
