package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.SourceFile;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/** What a format reads from bytes, without files and Spark. */
final class Reading {
  private static final Map<String, Records> RECORDS = new ConcurrentHashMap<>();

  private Reading() {}

  static SourceFile file(String name) {
    return new SourceFile("file:/in/" + name, name, "in", 1, "");
  }

  static Records records(String overrides) {
    return RECORDS.computeIfAbsent(
        overrides, o -> new Records(ReferenceConf.read("read", ReadConfig.class, o)));
  }

  static List<Document> json(String text, String overrides) {
    return json(text.getBytes(StandardCharsets.UTF_8), overrides);
  }

  static List<Document> json(byte[] bytes, String overrides) {
    return all(JsonFormat::new, "a.json", new ByteArrayInputStream(bytes), overrides);
  }

  static Document jsonLine(String line, String overrides) {
    return new JsonLines(records(overrides))
        .parse(file("a.jsonl"), 0, line.getBytes(StandardCharsets.UTF_8));
  }

  static List<Document> all(
      Function<Records, StreamFormat> format, String name, InputStream in, String overrides) {
    List<Document> documents = new ArrayList<>();
    try (DocumentIterator iterator = format.apply(records(overrides)).open(file(name), in)) {
      iterator.forEachRemaining(documents::add);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return documents;
  }

  /** The text of a document; of an unreadable record the reason and detail. */
  static String told(Document d) {
    return Documents.taggedIfUnreadable(d)
        .map(tagged -> tagged.reason() + ": " + tagged.detail())
        .orElse(d.text());
  }

  static List<String> told(List<Document> documents) {
    return documents.stream().map(Reading::told).toList();
  }

  /** A stream that gives one byte at a time. */
  static InputStream trickle(byte[] bytes) {
    return new ByteArrayInputStream(bytes) {
      @Override
      public synchronized int read(byte[] target, int from, int length) {
        return super.read(target, from, Math.min(length, 1));
      }
    };
  }
}
