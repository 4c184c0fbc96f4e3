package caravan.pipeline.dedup;

import caravan.pipeline.Storage;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;

/**
 * Reads an {@link IndexFile} in order, one entry ahead in view, and goes over blocks that are not
 * wanted without reading them.
 */
final class IndexFileReader implements Closeable {
  private final Path path;
  private final IndexFile file;
  private final FSDataInputStream in;
  private final byte[] table;
  private final int blocks;
  private int nextBlock;
  private byte[] block = {};
  private int at;
  private Entry head;

  /** Opens the file at its first entry. */
  IndexFileReader(Storage storage, Path index, IndexFile file) throws IOException {
    this.path = new Path(index, file.path());
    this.file = file;
    this.in = storage.open(path);
    byte[] trailer = new byte[IndexFileWriter.TRAILER_BYTES];
    in.readFully(file.bytes() - trailer.length, trailer);
    long tableAt = Entry.getLong(trailer, 0);
    long length = file.bytes() - trailer.length - tableAt;
    if (Entry.getLong(trailer, 2 * Long.BYTES) != IndexFileWriter.MAGIC
        || length != Entry.getLong(trailer, Long.BYTES) * IndexFileWriter.TABLE_BYTES) {
      throw damaged("its end");
    }
    this.table = new byte[(int) length];
    in.readFully(tableAt, table);
    this.blocks = table.length / IndexFileWriter.TABLE_BYTES;
    advance();
  }

  private IllegalArgumentException damaged(String where) {
    return new IllegalArgumentException(
        path
            + ": "
            + where
            + " is damaged or of another program version; restore the index from a copy, or make"
            + " it again from the first day on in an empty directory");
  }

  /** The next entry; null at the end. */
  Entry head() {
    return head;
  }

  Entry take() {
    Entry taken = head;
    advance();
    return taken;
  }

  /** Goes to the first entry whose {@link Entry#first} is not below {@code first}. */
  void seek(long first) {
    if (head == null || head.first() >= first) {
      return;
    }
    int low = nextBlock; // the first block that may still have to be read
    int high = blocks;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (number(middle, 0) < first) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low > nextBlock) { // the block before begins below `first` and may hold it
      nextBlock = low - 1;
      at = block.length;
      advance();
    }
    while (head != null && head.first() < first) {
      advance();
    }
  }

  private long number(int blockNumber, int column) {
    return Entry.getLong(table, blockNumber * IndexFileWriter.TABLE_BYTES + column * Long.BYTES);
  }

  private void advance() {
    long previous = 0;
    if (at < block.length) {
      previous = head.first();
    } else if (nextBlock < blocks) {
      readBlock();
      previous = number(nextBlock - 1, 0);
    } else {
      head = null;
      return;
    }
    long first = previous + (varint() << file.kind().zeroBits);
    long second = 0;
    if (file.kind().hasSecond) {
      second = Entry.getLong(block, at);
      at += Long.BYTES;
    }
    byte[] payload = new byte[file.kind().hasPayload ? (int) varint() : 0];
    System.arraycopy(block, at, payload, 0, payload.length);
    at += payload.length;
    head = new Entry(first, second, payload);
  }

  private void readBlock() {
    long from = number(nextBlock, 1);
    long to =
        nextBlock + 1 < blocks
            ? number(nextBlock + 1, 1)
            : file.bytes() - IndexFileWriter.TRAILER_BYTES - table.length;
    block = new byte[(int) (to - from)];
    try {
      in.seek(from); // a stream reads ahead; by position, S3 would get a request per block
      in.readFully(block);
    } catch (IOException e) {
      throw new UncheckedIOException(path + ": cannot read it", e);
    }
    if (IndexFileWriter.hash(block, 0, block.length) != number(nextBlock, 2)) {
      throw damaged("block " + nextBlock);
    }
    at = 0;
    nextBlock++;
  }

  private long varint() {
    long value = 0;
    int shift = 0;
    for (; block[at] < 0; at++) {
      value |= (block[at] & 0x7FL) << shift;
      shift += 7;
    }
    return value | (long) block[at++] << shift;
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
