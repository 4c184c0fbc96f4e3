package caravan.pipeline.shard;

import java.io.Closeable;
import java.io.IOException;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.OutputFile;
import org.apache.parquet.io.PositionOutputStream;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;

/**
 * Writes which document lies where in a shard, as Parquet: {@code shard} ({@code
 * train/shard-00000}), {@code start} and {@code end} in tokens, the document's {@code id} and
 * {@code source}.
 */
final class ProvenanceWriter implements Closeable {
  private static final MessageType SCHEMA =
      MessageTypeParser.parseMessageType(
          """
          message provenance {
            required binary shard (STRING);
            required int64 start;
            required int64 end;
            required binary id (STRING);
            required binary source (STRING);
          }
          """);

  private final SimpleGroupFactory rows = new SimpleGroupFactory(SCHEMA);
  private final ParquetWriter<Group> writer;

  ProvenanceWriter(HashedFile file) throws IOException {
    writer =
        ExampleParquetWriter.builder(new HashedOutputFile(file))
            .withType(SCHEMA)
            .withCompressionCodec(CompressionCodecName.SNAPPY)
            .build();
  }

  void append(String shard, long start, long end, String id, String source) throws IOException {
    writer.write(
        rows.newGroup()
            .append("shard", shard)
            .append("start", start)
            .append("end", end)
            .append("id", id)
            .append("source", source));
  }

  /** Writes Parquet's footer; the file itself is left to its owner. */
  @Override
  public void close() throws IOException {
    writer.close();
  }

  private record HashedOutputFile(HashedFile file) implements OutputFile {
    @Override
    public PositionOutputStream create(long blockSizeHint) {
      return new PositionOutputStream() {
        @Override
        public long getPos() {
          return file.bytes();
        }

        @Override
        public void write(int b) throws IOException {
          file.write(new byte[] {(byte) b});
        }

        @Override
        public void write(byte[] source, int start, int length) throws IOException {
          file.write(source, start, length);
        }
      };
    }

    @Override
    public PositionOutputStream createOrOverwrite(long blockSizeHint) {
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
