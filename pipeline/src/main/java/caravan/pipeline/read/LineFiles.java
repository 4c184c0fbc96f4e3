package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.SourceFile;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;

/** Files whose lines are records; blank lines are none. Uncompressed files are cut anywhere. */
record LineFiles(LineParser parser, Records records) implements SplitFormat, StreamFormat {

  /** Makes a document of a line. */
  interface LineParser extends Serializable {
    /**
     * @param position bytes of the uncompressed file before the line
     * @param line without its line break
     */
    Document parse(SourceFile file, long position, byte[] line);
  }

  @Override
  public Cut cut(SourceFile file) {
    return Compression.isCompressed(file.relativePath()) ? Cut.SLICES : Cut.BYTES;
  }

  @Override
  public DocumentIterator open(Split split, Storage storage) throws IOException {
    if (cut(split.file()) == Cut.SLICES) {
      return new StreamedFiles(this, records).open(split, storage);
    }
    FSDataInputStream in = storage.open(new Path(split.file().path()));
    boolean first = split.start() == 0;
    if (!first) {
      in.seek(split.start() - 1); // a line starts here if the byte before ends one
    }
    LineReader lines = lines(in, first ? 0 : split.start() - 1);
    if (!first) {
      lines.next();
    }
    return new Lines(split.file(), lines, split.end());
  }

  @Override
  public DocumentIterator open(SourceFile file, InputStream in) {
    return new Lines(file, lines(in, 0), Long.MAX_VALUE);
  }

  private LineReader lines(InputStream in, long position) {
    // A character of a document takes up to six bytes in JSON, and its record has other fields.
    long maxBytes = 6L * records.config().maxDocumentCharacters() + (1 << 20);
    return new LineReader(in, position, (int) Math.min(maxBytes, Integer.MAX_VALUE - 64));
  }

  private final class Lines extends DocumentIterator {
    private final SourceFile file;
    private final LineReader lines;
    private final long end;

    Lines(SourceFile file, LineReader lines, long end) {
      this.file = file;
      this.lines = lines;
      this.end = end;
    }

    @Override
    protected Document advance() throws IOException {
      if (!skipped()) {
        return null;
      }
      if (lines.cutBytes() > 0) {
        return records.tooLarge(
            file,
            lines.position(),
            lines.line(),
            "line of %,d bytes, shown up to %,d; maximum %,d code points"
                .formatted(
                    lines.line().length + lines.cutBytes(),
                    lines.line().length,
                    records.config().maxDocumentCharacters()));
      }
      return parser.parse(file, lines.position(), lines.line());
    }

    @Override
    protected boolean skipped() throws IOException {
      while (lines.nextPosition() < end && lines.next()) {
        if (!lines.isBlank()) {
          return true;
        }
      }
      return false;
    }

    @Override
    public void close() throws IOException {
      lines.close();
    }
  }
}
