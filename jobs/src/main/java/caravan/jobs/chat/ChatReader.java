package caravan.jobs.chat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * The records of one file of chat or instruction data, in file order and read as they are asked
 * for. CSV files ({@code .csv}) have a header with a column {@code text} of turns ({@link
 * TurnText}); {@code .json} and {@code .jsonl} files hold one array of objects or one object per
 * line, in any layout of {@link JsonConversations}. A record that is no conversation comes as
 * {@link ChatRecord.Broken}, in its place.
 */
public final class ChatReader {
  private static final String TEXT_COLUMN = "text";
  private static final char BYTE_ORDER_MARK = '\uFEFF';
  private static final char REPLACEMENT = '\uFFFD';
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private final String file;
  private long records;

  private ChatReader(String file) {
    this.file = file;
  }

  /**
   * Whether the name is of a kind that can be read.
   *
   * @param file name or path
   */
  public static boolean reads(String file) {
    return isCsv(file) || isJson(file);
  }

  /**
   * @param in the file's bytes; the caller closes it after the last record
   * @param file its name, from which the kind and the records' ids come
   * @throws IllegalArgumentException when the file as a whole is not what its name says: another
   *     kind, no {@code text} column; from the iterator when the rest of the file is lost: an array
   *     that is not JSON, a quote that is not closed
   */
  public static Iterator<ChatRecord> read(InputStream in, String file) {
    ChatReader reader = new ChatReader(file);
    BufferedReader text = decoded(in);
    if (isCsv(file)) {
      return reader.csv(text);
    }
    if (isJson(file)) {
      return startsArray(text) ? reader.jsonArray(text) : reader.jsonLines(text);
    }
    throw new IllegalArgumentException(
        file + ": wanted a name that ends in .csv, .json or .jsonl; rename or convert the file");
  }

  private static boolean isCsv(String file) {
    return file.toLowerCase(Locale.ROOT).endsWith(".csv");
  }

  private static boolean isJson(String file) {
    String name = file.toLowerCase(Locale.ROOT);
    return name.endsWith(".json") || name.endsWith(".jsonl");
  }

  private Iterator<ChatRecord> csv(BufferedReader text) {
    CsvRows rows = new CsvRows(text);
    List<String> header = rows.hasNext() ? rows.next().fields() : List.of();
    int column = header.stream().map(String::strip).toList().indexOf(TEXT_COLUMN);
    if (column < 0) {
      throw new IllegalArgumentException(
          file + ": got the columns " + header + ", wanted a column named " + TEXT_COLUMN);
    }
    return mapped(rows, row -> csvRecord(row, header.size(), column));
  }

  private ChatRecord csvRecord(CsvRows.Row row, int columns, int textColumn) {
    if (row.form() == CsvRows.Form.UNCLOSED_QUOTE) {
      throw new IllegalArgumentException(
          "%s: a quote in the row that begins at line %,d is not closed before the file's end; repair the file"
              .formatted(file, row.line()));
    }
    return record(
        row.raw(),
        id -> {
          if (row.form() == CsvRows.Form.STRAY_QUOTE) {
            throw new UnreadableRecordException(
                "bad_csv", "a quote inside a quoted field is not doubled");
          }
          if (row.fields().size() != columns) {
            throw new UnreadableRecordException(
                "bad_csv", "got " + row.fields().size() + " fields, the header has " + columns);
          }
          return new Conversation(id, TurnText.parse(row.fields().get(textColumn)));
        });
  }

  private Iterator<ChatRecord> jsonLines(BufferedReader text) {
    Iterator<String> lines = text.lines().filter(line -> !line.isBlank()).iterator();
    return mapped(lines, line -> record(line, id -> JsonConversations.read(parse(line), id)));
  }

  private static JsonNode parse(String line) throws UnreadableRecordException {
    try {
      return JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw new UnreadableRecordException(
          "bad_json",
          "at character %d: %s".formatted(e.getLocation().getColumnNr(), e.getOriginalMessage()));
    }
  }

  private Iterator<ChatRecord> jsonArray(BufferedReader text) {
    return mapped(
        new JsonArrayElements(text, file),
        node -> record(node.toString(), id -> JsonConversations.read(node, id)));
  }

  private interface Body {
    Conversation read(String id) throws UnreadableRecordException;
  }

  private ChatRecord record(String raw, Body body) {
    String id = file + "#" + ++records;
    try {
      if (raw.indexOf(REPLACEMENT) >= 0) {
        throw new UnreadableRecordException(
            "not_utf8", "character " + raw.indexOf(REPLACEMENT) + " is no UTF-8, or is U+FFFD");
      }
      return ChatRecord.of(body.read(id), raw);
    } catch (UnreadableRecordException e) {
      return new ChatRecord.Broken(id, e.defect(), raw);
    }
  }

  private static <T> Iterator<ChatRecord> mapped(
      Iterator<T> records, Function<T, ChatRecord> function) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return records.hasNext();
      }

      @Override
      public ChatRecord next() {
        return function.apply(records.next());
      }
    };
  }

  /** Text without a byte order mark; bytes that are no UTF-8 become U+FFFD. */
  private static BufferedReader decoded(InputStream in) {
    BufferedReader text = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
    if (peek(text) == BYTE_ORDER_MARK) {
      read(text);
    }
    return text;
  }

  private static boolean startsArray(BufferedReader text) {
    while (Character.isWhitespace(peek(text))) {
      read(text);
    }
    return peek(text) == '[';
  }

  private static int peek(BufferedReader text) {
    try {
      text.mark(1);
      int c = text.read();
      text.reset();
      return c;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int read(BufferedReader text) {
    try {
      return text.read();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
