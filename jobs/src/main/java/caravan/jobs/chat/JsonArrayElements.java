package caravan.jobs.chat;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.util.Iterator;

/**
 * The elements of one JSON array, read as they are asked for. A syntax error ends the file: where
 * the next element begins cannot be known.
 */
final class JsonArrayElements implements Iterator<JsonNode> {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String file;
  private final MappingIterator<JsonNode> nodes;
  private long read;

  JsonArrayElements(Reader text, String file) {
    this.file = file;
    this.nodes = attempt(() -> JSON.readerFor(JsonNode.class).readValues(text));
  }

  @Override
  public boolean hasNext() {
    return attempt(nodes::hasNextValue);
  }

  @Override
  public JsonNode next() {
    JsonNode node = attempt(nodes::nextValue);
    read++;
    return node;
  }

  private interface Parse<T> {
    T run() throws IOException;
  }

  private <T> T attempt(Parse<T> parse) {
    try {
      return parse.run();
    } catch (JsonProcessingException e) {
      JsonLocation at = e.getLocation();
      throw new IllegalArgumentException(
          ("%s: not JSON after record %d, at line %d, character %d: %s; "
                  + "repair the file, or write one object per line")
              .formatted(file, read, at.getLineNr(), at.getColumnNr(), e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }
}
