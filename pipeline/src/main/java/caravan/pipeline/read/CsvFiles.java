package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Storage;
import com.univocity.parsers.csv.CsvParser;
import com.univocity.parsers.csv.CsvParserSettings;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Row;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Files of comma-separated values (tabs in {@code .tsv}) with a header line, quoted as RFC 4180
 * says. Quoted fields hold line breaks, so a file is read by one task.
 */
final class CsvFiles {
  private CsvFiles() {}

  static JavaRDD<Row> read(JavaSparkContext sc, List<SourceFile> files, Records records) {
    SerializableConfiguration conf = new SerializableConfiguration(sc.hadoopConfiguration());
    JavaRDD<Document> documents =
        sc.parallelize(files, files.size())
            .flatMap(file -> new RecordIterator(file, conf.value(), records));
    if (files.size() < sc.defaultParallelism()) {
      documents = documents.repartition(sc.defaultParallelism());
    }
    return documents.map(Documents::toRow);
  }

  /**
   * Streams a file's records. The parser gets the bytes as Latin-1, because separators and quotes
   * are ASCII in UTF-8 too; so each field's own bytes are seen and checked.
   */
  private static final class RecordIterator implements Iterator<Document> {
    private final SourceFile file;
    private final Records records;
    private final CsvParser parser;
    private final List<String> header;
    private long position;
    private String[] next;

    RecordIterator(SourceFile file, Configuration conf, Records records) throws IOException {
      this.file = file;
      this.records = records;
      this.parser = new CsvParser(settings(file.relativePath()));
      parser.beginParsing(new InputStreamReader(open(file, conf), StandardCharsets.ISO_8859_1));
      String[] first = parser.parseNext();
      this.header =
          first == null
              ? List.of()
              : Arrays.stream(first)
                  .map(f -> new String(bytes(f), StandardCharsets.UTF_8))
                  .toList();
      this.next = parser.parseNext();
    }

    private static CsvParserSettings settings(String name) {
      CsvParserSettings settings = new CsvParserSettings();
      settings.getFormat().setDelimiter(name.matches(".*\\.tsv(\\.\\w+)?") ? '\t' : ',');
      settings.setLineSeparatorDetectionEnabled(true);
      settings.setIgnoreLeadingWhitespaces(false);
      settings.setIgnoreTrailingWhitespaces(false);
      settings.setEmptyValue("");
      settings.setNullValue("");
      settings.setMaxCharsPerColumn(-1);
      settings.setMaxColumns(16_384);
      return settings;
    }

    private static InputStream open(SourceFile file, Configuration conf) throws IOException {
      Path path = new Path(file.path());
      CompressionCodec codec = new CompressionCodecFactory(conf).getCodec(path);
      InputStream raw = new Storage(conf).open(path);
      return codec == null ? raw : codec.createInputStream(raw);
    }

    private static byte[] bytes(String latin1) {
      return WholeFiles.withoutByteOrderMark(latin1.getBytes(StandardCharsets.ISO_8859_1));
    }

    @Override
    public boolean hasNext() {
      return next != null;
    }

    @Override
    public Document next() {
      if (next == null) {
        throw new NoSuchElementException();
      }
      Document document = document(next, position++);
      next = parser.parseNext();
      return document;
    }

    private Document document(String[] values, long at) {
      String raw = String.join(",", values);
      byte[] rawBytes = raw.getBytes(StandardCharsets.ISO_8859_1);
      Optional<String> decoded = Records.utf8(rawBytes);
      if (decoded.isEmpty()) {
        return records.invalidUtf8(file, at, rawBytes);
      }
      if (values.length != header.size()) {
        String detail =
            "%d fields, the header has %d: %s".formatted(values.length, header.size(), header);
        return records.broken(file, at, decoded.get(), detail);
      }
      Map<String, String> fields = new TreeMap<>();
      for (int i = 0; i < values.length; i++) {
        byte[] value = values[i].getBytes(StandardCharsets.ISO_8859_1);
        fields.put(header.get(i), new String(value, StandardCharsets.UTF_8));
      }
      return records.of(file, at, fields, decoded.get());
    }
  }
}
