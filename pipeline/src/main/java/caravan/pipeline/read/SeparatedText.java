package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.SourceFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/**
 * A text file with {@code read.separator} between its documents; blank lines at both ends of a
 * document are none of it, and nothing between two separators is no document. A separator of line
 * breaks alone, such as {@code "\n\n"}, stands for blank lines: spaces and carriage returns on them
 * do not matter. A document's position is that of its first byte.
 */
final class SeparatedText implements StreamFormat {
  private final Records records;

  SeparatedText(Records records) {
    this.records = records;
  }

  @Override
  public DocumentIterator open(SourceFile file, InputStream in) {
    ByteWindow window = new ByteWindow(records.utf8(in), records.maxRecordBytes());
    String separator = records.config().separator();
    Separator end =
        separator.matches("\n+")
            ? () -> toBlankLines(window, separator.length() - 1)
            : () -> toSeparator(window, separator.getBytes(StandardCharsets.UTF_8));
    return new Pieces(file, window, end);
  }

  /** Goes behind the next separator, or to the end of the file. */
  private interface Separator {
    /** Bytes of the separator that was found; 0 where it is blank. */
    int find() throws IOException;
  }

  private final class Pieces extends DocumentIterator {
    private final SourceFile file;
    private final ByteWindow window;
    private final Separator separator;
    private long position;
    private int end;

    Pieces(SourceFile file, ByteWindow window, Separator separator) {
      this.file = file;
      this.window = window;
      this.separator = separator;
    }

    @Override
    protected boolean skipped() throws IOException {
      while (true) {
        skipBlank(window);
        position = window.offset();
        window.beginRecord();
        if (window.peek() < 0) {
          return false;
        }
        int found = separator.find();
        if (window.tooLong()) {
          return true;
        }
        end = withoutBlankEnd(window.bytes, window.recordStart(), window.at - found);
        if (end > window.recordStart()) {
          return true;
        }
      }
    }

    @Override
    protected Document advance() throws IOException {
      if (!skipped()) {
        return null;
      }
      if (!window.tooLong()) {
        return records.ofText(file, position, window.bytes, window.recordStart(), end);
      }
      byte[] head = window.record();
      String detail =
          "goes on for more than %,d bytes without read.separator %s"
              .formatted(records.maxRecordBytes(), records.config().separator());
      return records.broken(file, position, Records.text(head, 0, head.length), detail);
    }

    @Override
    public void close() throws IOException {
      window.close();
    }
  }

  /** Goes behind blank lines and the byte order mark; the first line's indent stays. */
  private static void skipBlank(ByteWindow window) throws IOException {
    window.endRecord();
    if (window.offset() == 0
        && window.peek(2) >= 0
        && Records.hasByteOrderMark(window.bytes, window.at, window.limit)) {
      window.at += 3;
    }
    int indent = 0;
    for (int c = window.peek(0); isBlank(c) || c == '\n'; c = window.peek(indent)) {
      indent++;
      if (c == '\n') {
        window.at += indent;
        indent = 0;
      }
    }
  }

  private static boolean isBlank(int c) {
    return c == ' ' || c == '\t' || c == '\r';
  }

  private static int withoutBlankEnd(byte[] bytes, int from, int to) {
    int end = to;
    while (end > from && (isBlank(bytes[end - 1]) || bytes[end - 1] == '\n')) {
      end--;
    }
    return end;
  }

  private static int toBlankLines(ByteWindow window, int wanted) throws IOException {
    int blank = 0;
    boolean lineIsBlank = false; // The line that the piece begins with is not.
    for (int c = window.peek(); c >= 0; c = window.peek()) {
      window.at++;
      if (c != '\n') {
        lineIsBlank &= isBlank(c);
        continue;
      }
      blank = lineIsBlank ? blank + 1 : 0;
      if (blank >= wanted) {
        return 0;
      }
      lineIsBlank = true;
    }
    return 0;
  }

  private static int toSeparator(ByteWindow window, byte[] separator) throws IOException {
    while (true) {
      int end = window.limit - separator.length;
      byte[] bytes = window.bytes;
      int i = window.at;
      while (i <= end && !matches(bytes, i, separator)) {
        i++;
      }
      if (i <= end) {
        window.at = i + separator.length;
        return separator.length;
      }
      window.at = i;
      if (!window.fill()) {
        window.at = window.limit;
        return 0;
      }
    }
  }

  private static boolean matches(byte[] bytes, int at, byte[] separator) {
    for (int k = 0; k < separator.length; k++) {
      if (bytes[at + k] != separator[k]) {
        return false;
      }
    }
    return true;
  }
}
