package caravan.pipeline.read;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/**
 * Cuts a stream into JSON values without parsing them: the elements of one array, when the first
 * byte is its bracket, else values that follow each other, on one line or over several.
 *
 * <p>A value that is no JSON spoils no other as long as its brackets and quotes close. When they do
 * not, the next value is found again at an object that begins where none can: on a new line inside
 * a string, or where an object's next key or an array's comma must come. Valid JSON has neither.
 */
final class JsonValues implements Closeable {
  private static final int MAX_INDENT = 1024;

  /** Each costs up to a read of the longest record. */
  private static final int MAX_RESTARTS = 256;

  private final ByteWindow window;

  /** The open brackets of the value at hand. */
  private byte[] open = new byte[64];

  private int depth;
  private int openArrays;

  private boolean begun;
  private boolean isArray;
  private boolean inArray;
  private boolean cutOff;
  private long count;
  private long position;
  private long lineStart;
  private boolean lineUsed;

  /** Blanks before the value on its line. */
  private int indent;

  private int restarts;

  JsonValues(InputStream in, int maxRecordBytes) {
    this.window = new ByteWindow(in, maxRecordBytes);
  }

  /** Goes to the next value; false when there is none. */
  boolean next() throws IOException {
    window.endRecord();
    if (cutOff) {
      return false;
    }
    int c = skipToValue();
    position = isArray ? count : lineUsed ? window.offset() : lineStart;
    count++;
    window.beginRecord();
    if (c < 0) {
      cutOff = inArray;
      return cutOff;
    }
    lineUsed = true;
    cutOff = !(c == '{' || c == '[' ? structure() : scalar());
    if (cutOff && restarts < MAX_RESTARTS && !window.tooLong()) {
      restart();
    }
    return true;
  }

  /**
   * A value that does not close before the stream ends may lack a bracket: then it ends before the
   * next line that begins like its own.
   */
  private void restart() {
    byte[] bytes = window.bytes;
    for (int line = window.recordStart() + 1; line + indent < window.limit; line++) {
      if (bytes[line - 1] == '\n' && bytes[line + indent] == '{' && isBlank(line, line + indent)) {
        window.at = line;
        beginLine();
        cutOff = false;
        restarts++;
        return;
      }
    }
  }

  private boolean isBlank(int from, int to) {
    for (int i = from; i < to; i++) {
      if (window.bytes[i] != ' ' && window.bytes[i] != '\t') {
        return false;
      }
    }
    return true;
  }

  /** The bytes in which the value lies; those of its head when it is too long. */
  byte[] bytes() {
    return window.tooLong() ? window.record() : window.bytes;
  }

  int from() {
    return window.tooLong() ? 0 : window.recordStart();
  }

  int to() {
    return window.tooLong() ? window.record().length : window.at;
  }

  /**
   * The value's index in the array; of values that follow each other, the bytes before its line, or
   * before itself when its line begins with another.
   */
  long position() {
    return position;
  }

  /** Whether the stream ended before the value did, or before the array did: then it is empty. */
  boolean cutOff() {
    return cutOff;
  }

  /** Whether the value is longer than a record may be. */
  boolean tooLong() {
    return window.tooLong();
  }

  private int skipToValue() throws IOException {
    if (!begun && isByteOrderMark()) {
      window.at += 3;
    }
    for (int c = window.peek(); c >= 0; c = window.peek()) {
      if (c == '[' && (isArray ? !inArray : !begun)) {
        isArray = true;
        inArray = true;
      } else if (c == ']' && inArray) {
        inArray = false;
      } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != ',') {
        begun = true;
        return c;
      }
      begun |= c == '[';
      indent = c == ' ' || c == '\t' ? indent + 1 : 0;
      window.at++;
      if (c == '\n') {
        beginLine();
      }
    }
    return -1;
  }

  private boolean isByteOrderMark() throws IOException {
    return window.peek(2) >= 0 && Records.hasByteOrderMark(window.bytes, window.at, window.limit);
  }

  private void beginLine() {
    lineStart = window.offset();
    lineUsed = false;
    indent = 0;
  }

  /** Goes behind an object or array; false when the stream ends first. */
  private boolean structure() throws IOException {
    depth = 0;
    openArrays = 0;
    int last = ',';
    for (int c = window.peek(); c >= 0; c = window.peek()) {
      if (c == '{' && depth > 0 && !mayOpen(last) || c == ']' && inArray && openArrays == 0) {
        return true; // Broken: the next value begins here, or the array ends.
      }
      window.at++;
      if (c == '"') {
        switch (string()) {
          case CUT_OFF -> {
            return false;
          }
          case BROKEN -> {
            return true;
          }
          case WHOLE -> last = c;
        }
      } else if (c == '{' || c == '[') {
        push((byte) c);
        last = c;
      } else if (c == '}' || c == ']') {
        close(c == '}' ? '{' : '[');
        last = c;
      } else if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
        last = c;
      }
      if (depth == 0) {
        return true;
      }
    }
    return false;
  }

  /** Goes behind what is neither object nor array. */
  private boolean scalar() throws IOException {
    int c = window.peek();
    do {
      window.at++;
      if (c == '"') {
        return string() != StringEnd.CUT_OFF;
      }
      c = window.peek();
    } while (c >= 0 && c != ',' && c != '\n' && c != '{' && c != '[' && !(c == ']' && inArray));
    return true;
  }

  private enum StringEnd {
    WHOLE,
    /** Its quote is missing. */
    BROKEN,
    CUT_OFF
  }

  private StringEnd string() throws IOException {
    while (true) {
      byte[] bytes = window.bytes;
      int i = window.at;
      int limit = window.limit;
      while (i < limit && bytes[i] != '"' && bytes[i] != '\\' && bytes[i] != '\n') {
        i++;
      }
      window.at = i;
      if (i == limit) {
        if (!window.fill()) {
          return StringEnd.CUT_OFF;
        }
        continue;
      }
      window.at++;
      if (bytes[i] == '"') {
        return StringEnd.WHOLE;
      }
      if (bytes[i] == '\\') {
        if (window.peek() >= 0) { // which may move the window
          window.at++;
        }
      } else if (lineBeginsObject()) {
        beginLine();
        return StringEnd.BROKEN;
      }
    }
  }

  private boolean lineBeginsObject() throws IOException {
    int ahead = 0;
    while (ahead < MAX_INDENT && (window.peek(ahead) == ' ' || window.peek(ahead) == '\t')) {
      ahead++;
    }
    return window.peek(ahead) == '{';
  }

  /**
   * Whether an object may begin in what is open, behind this character. It may not in an array that
   * is an element itself: that is no document, and often a slip where a comma was meant.
   */
  private boolean mayOpen(int last) {
    if (isArray && depth == 1 && open[0] == '[') {
      return false;
    }
    return open[depth - 1] == '{' ? last == ':' : last == ',' || last == '[';
  }

  private void push(byte bracket) {
    if (depth == open.length) {
      open = Arrays.copyOf(open, 2 * depth);
    }
    open[depth++] = bracket;
    openArrays += bracket == '[' ? 1 : 0;
  }

  /**
   * Closes the innermost bracket of this kind and what is open in it; everything when none is open,
   * because then the value is broken.
   */
  private void close(char bracket) {
    if (bracket == '[' ? openArrays == 0 : openArrays == depth) {
      depth = 0;
      return;
    }
    byte closed;
    do {
      closed = open[--depth];
      openArrays -= closed == '[' ? 1 : 0;
    } while (closed != bracket);
  }

  @Override
  public void close() throws IOException {
    window.close();
  }
}
