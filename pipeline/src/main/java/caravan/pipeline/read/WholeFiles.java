package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.SourceFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.util.Arrays;

/** Files that are one document each. */
record WholeFiles(FileParser parser, Records records) implements StreamFormat {

  /** Makes a document of a file's bytes. */
  interface FileParser extends Serializable {
    Document parse(SourceFile file, byte[] bytes);
  }

  @Override
  public boolean oneDocument() {
    return true;
  }

  @Override
  public DocumentIterator open(SourceFile file, InputStream in) {
    return new DocumentIterator() {
      private boolean read;

      @Override
      protected Document advance() throws IOException {
        if (read) {
          return null;
        }
        read = true;
        return document(file, in);
      }

      @Override
      public void close() throws IOException {
        in.close();
      }
    };
  }

  private Document document(SourceFile file, InputStream in) throws IOException {
    // A code point takes up to four bytes, and of a page's bytes few are its main content.
    long maxBytes =
        Math.min(16L * records.config().maxDocumentCharacters(), Integer.MAX_VALUE - 64);
    byte[] bytes = in.readNBytes((int) maxBytes + 1);
    if (bytes.length > maxBytes) {
      return records.tooLarge(
          file,
          0,
          Arrays.copyOf(bytes, 4096),
          "more than %,d bytes, shown up to 4,096; maximum %,d code points"
              .formatted(maxBytes, records.config().maxDocumentCharacters()));
    }
    return parser.parse(file, bytes);
  }

  /** A whole text file. */
  static WholeFiles text(Records records) {
    return new WholeFiles(
        (file, bytes) -> {
          byte[] utf8 = records.utf8Bytes(withoutByteOrderMark(bytes));
          return records.ofText(file, 0, utf8, 0, utf8.length);
        },
        records);
  }

  static byte[] withoutByteOrderMark(byte[] bytes) {
    boolean marked =
        bytes.length >= 3
            && (bytes[0] & 0xFF) == 0xEF
            && (bytes[1] & 0xFF) == 0xBB
            && (bytes[2] & 0xFF) == 0xBF;
    return marked ? Arrays.copyOfRange(bytes, 3, bytes.length) : bytes;
  }
}
