package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.SourceFile;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.hadoop.util.HadoopStreams;
import org.apache.parquet.io.InputFile;
import org.apache.parquet.io.SeekableInputStream;

/**
 * Parquet files: of others, with a column for the text, whose other columns become {@code meta}; or
 * of a stage's output. They are cut between row groups.
 *
 * @param ours whether the files are a stage's output
 */
record ParquetFiles(JsonRecords json, boolean ours) implements SplitFormat {
  @Override
  public Cut cut(SourceFile file) {
    return Cut.BYTES;
  }

  @Override
  public DocumentIterator open(Split split, Storage storage) throws IOException {
    ParquetReader<Group> reader =
        new Reader(new StoredFile(storage, new Path(split.file().path())))
            .withFileRange(split.start(), split.end())
            .build();
    return new DocumentIterator() {
      @Override
      protected Document advance() throws IOException {
        Group row = reader.read();
        if (row == null) {
          return null;
        }
        return ours ? ours(row) : document(split.file(), reader.getCurrentRowIndex(), row);
      }

      @Override
      public void close() throws IOException {
        reader.close();
      }
    };
  }

  private Document document(SourceFile file, long position, Group row) {
    return json.document(file, position, ParquetJson.of(row));
  }

  private static Document ours(Group row) {
    Group entries = row.getGroup("meta", 0);
    Map<String, String> meta = new TreeMap<>();
    for (int i = 0; i < entries.getFieldRepetitionCount(0); i++) {
      Group entry = entries.getGroup(0, i);
      meta.put(entry.getString("key", 0), entry.getString("value", 0));
    }
    return new Document(
        row.getString("id", 0),
        row.getString("source", 0),
        row.getString("path", 0),
        row.getString("language", 0),
        row.getString("text", 0),
        meta);
  }

  private static final class Reader extends ParquetReader.Builder<Group> {
    Reader(InputFile file) {
      super(file);
    }

    @Override
    protected ReadSupport<Group> getReadSupport() {
      return new GroupReadSupport();
    }
  }

  private record StoredFile(Storage storage, Path path) implements InputFile {
    @Override
    public long getLength() throws IOException {
      return storage.status(path).orElseThrow(() -> new IOException(path + ": gone")).getLen();
    }

    @Override
    public SeekableInputStream newStream() throws IOException {
      return HadoopStreams.wrap(storage.open(path));
    }
  }
}
