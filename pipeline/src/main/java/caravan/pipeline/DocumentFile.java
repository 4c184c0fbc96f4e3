package caravan.pipeline;

import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.OutputFile;
import org.apache.parquet.io.PositionOutputStream;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.RecordConsumer;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;

/**
 * Writes one Parquet file of documents, with columns as {@link Documents#SCHEMA} and Spark's reader
 * want them. The file's SHA-256 is taken while it is written.
 */
final class DocumentFile implements Closeable {
  private static final String COLUMNS =
      "required binary id (STRING); required binary source (STRING);"
          + " required binary path (STRING); required binary language (STRING);"
          + " required binary text (STRING); required group meta (MAP) { repeated group key_value {"
          + " required binary key (STRING); required binary value (STRING); } }";
  private static final MessageType KEPT =
      MessageTypeParser.parseMessageType("message document { " + COLUMNS + " }");
  private static final MessageType DROPPED =
      MessageTypeParser.parseMessageType(
          "message document { " + COLUMNS + " required binary detail (STRING); }");

  /**
   * A document as it is stored: UTF-8.
   *
   * @param meta sorted by key
   */
  record Encoded(
      byte[] id,
      byte[] source,
      byte[] path,
      byte[] language,
      byte[] text,
      TreeMap<String, String> meta,
      byte[] detail) {

    static Encoded of(Document d, String detail) {
      return new Encoded(
          utf8(d.id()),
          utf8(d.source()),
          utf8(d.path()),
          utf8(d.language()),
          utf8(d.text()),
          new TreeMap<>(d.meta()),
          utf8(detail));
    }

    private static byte[] utf8(String text) {
      return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Length of the text in code points. */
    long characters() {
      int characters = 0;
      for (byte b : text) {
        characters += (b & 0xC0) != 0x80 ? 1 : 0;
      }
      return characters;
    }
  }

  private final String relativePath;
  private final DigestingFile file;
  private final ParquetWriter<Encoded> writer;

  /**
   * @param relativePath below {@code directory}
   * @param dropped whether rows have the column {@code detail}
   */
  DocumentFile(Storage storage, Path directory, String relativePath, boolean dropped) {
    this.relativePath = relativePath;
    this.file = new DigestingFile(storage, new Path(directory, relativePath));
    try {
      this.writer = new Builder(file, dropped).build();
    } catch (IOException e) {
      throw new UncheckedIOException(relativePath + ": cannot write it", e);
    }
  }

  String relativePath() {
    return relativePath;
  }

  void write(Encoded document) throws IOException {
    writer.write(document);
  }

  @Override
  public void close() throws IOException {
    writer.close();
  }

  /** What was written; after {@link #close}. */
  Manifest.OutputFile described() {
    String sha256 = HexFormat.of().formatHex(file.digest.digest());
    return new Manifest.OutputFile(relativePath, file.bytes, sha256);
  }

  private static final class Builder extends ParquetWriter.Builder<Encoded, Builder> {
    /** Bounds what the writers of a task hold in memory: one is open per drop reason. */
    private static final int ROW_GROUP_BYTES = 16 << 20;

    private final boolean dropped;

    Builder(OutputFile file, boolean dropped) {
      super(file);
      this.dropped = dropped;
      withCompressionCodec(CompressionCodecName.ZSTD);
      withRowGroupSize((long) ROW_GROUP_BYTES);
      withDictionaryEncoding("id", false);
      withDictionaryEncoding("text", false);
    }

    @Override
    protected Builder self() {
      return this;
    }

    @Override
    protected WriteSupport<Encoded> getWriteSupport(Configuration conf) {
      return new DocumentWriteSupport(dropped);
    }
  }

  private static final class DocumentWriteSupport extends WriteSupport<Encoded> {
    private final boolean dropped;
    private RecordConsumer out;

    DocumentWriteSupport(boolean dropped) {
      this.dropped = dropped;
    }

    @Override
    public WriteContext init(Configuration conf) {
      return new WriteContext(dropped ? DROPPED : KEPT, Map.of());
    }

    @Override
    public void prepareForWrite(RecordConsumer consumer) {
      this.out = consumer;
    }

    @Override
    public void write(Encoded d) {
      out.startMessage();
      field("id", 0, d.id());
      field("source", 1, d.source());
      field("path", 2, d.path());
      field("language", 3, d.language());
      field("text", 4, d.text());
      meta(d.meta());
      if (dropped) {
        field("detail", 6, d.detail());
      }
      out.endMessage();
    }

    private void meta(Map<String, String> meta) {
      out.startField("meta", 5);
      out.startGroup();
      if (!meta.isEmpty()) {
        out.startField("key_value", 0);
        meta.forEach(
            (key, value) -> {
              out.startGroup();
              field("key", 0, key.getBytes(StandardCharsets.UTF_8));
              field("value", 1, value.getBytes(StandardCharsets.UTF_8));
              out.endGroup();
            });
        out.endField("key_value", 0);
      }
      out.endGroup();
      out.endField("meta", 5);
    }

    private void field(String name, int index, byte[] value) {
      out.startField(name, index);
      out.addBinary(Binary.fromConstantByteArray(value));
      out.endField(name, index);
    }
  }

  private static final class DigestingFile implements OutputFile {
    private final Storage storage;
    private final Path path;
    private final MessageDigest digest = Json.sha256();
    private long bytes;

    DigestingFile(Storage storage, Path path) {
      this.storage = storage;
      this.path = path;
    }

    @Override
    public PositionOutputStream create(long blockSizeHint) throws IOException {
      OutputStream out = storage.create(path);
      return new PositionOutputStream() {
        @Override
        public long getPos() {
          return bytes;
        }

        @Override
        public void write(int b) throws IOException {
          write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] buffer, int offset, int length) throws IOException {
          out.write(buffer, offset, length);
          digest.update(buffer, offset, length);
          bytes += length;
        }

        @Override
        public void flush() throws IOException {
          out.flush();
        }

        @Override
        public void close() throws IOException {
          out.close();
        }
      };
    }

    @Override
    public PositionOutputStream createOrOverwrite(long blockSizeHint) throws IOException {
      return create(blockSizeHint);
    }

    @Override
    public boolean supportsBlockSize() {
      return false;
    }

    @Override
    public long defaultBlockSize() {
      return 0;
    }
  }
}
