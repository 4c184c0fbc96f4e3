package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Files that are one document each. Many small ones share a partition. */
final class WholeFiles {

  /** Makes a document of a file's bytes. */
  interface FileParser extends Serializable {
    Document parse(SourceFile file, byte[] bytes);
  }

  private WholeFiles() {}

  static JavaRDD<Row> read(SparkSession spark, List<SourceFile> files, FileParser parser) {
    Map<String, SourceFile> byPath =
        files.stream().collect(Collectors.toMap(SourceFile::path, f -> f));
    return spark
        .read()
        .format("binaryFile")
        .option("__globPaths__", "false") // names may hold brackets and braces
        .load(byPath.keySet().stream().sorted().toArray(String[]::new))
        .select("path", "content")
        .toJavaRDD()
        .map(
            row -> {
              SourceFile file = byPath.get(new Path(row.getString(0)).toString());
              byte[] bytes = decompressed(file.path(), row.getAs(1));
              return Documents.toRow(parser.parse(file, bytes));
            });
  }

  /** A whole text file. */
  static FileParser text(Records records) {
    return (file, bytes) -> {
      byte[] text = withoutByteOrderMark(bytes);
      return Records.utf8(text)
          .map(decoded -> records.of(file, 0, decoded, Map.of()))
          .orElseGet(() -> records.invalidUtf8(file, 0, text));
    };
  }

  static byte[] withoutByteOrderMark(byte[] bytes) {
    boolean marked =
        bytes.length >= 3
            && (bytes[0] & 0xFF) == 0xEF
            && (bytes[1] & 0xFF) == 0xBB
            && (bytes[2] & 0xFF) == 0xBF;
    return marked ? Arrays.copyOfRange(bytes, 3, bytes.length) : bytes;
  }

  private static byte[] decompressed(String path, byte[] bytes) {
    CompressionCodec codec =
        new CompressionCodecFactory(new Configuration(false)).getCodec(new Path(path));
    if (codec == null) {
      return bytes;
    }
    try (InputStream in = codec.createInputStream(new ByteArrayInputStream(bytes))) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(path + ": cannot be decompressed", e);
    }
  }
}
