package caravan.pipeline.dedup;

import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.HashedFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.UUID;
import net.openhft.hashing.LongHashFunction;
import org.apache.hadoop.fs.Path;

/**
 * Writes an {@link IndexFile}. Numbers are big-endian but for varints (seven bits a byte, the
 * lowest first).
 *
 * <pre>
 * block*   entries, each: varint gap of `first` to the one before (in a block's first entry, none),
 *          without the kind's zero bits; `second` in 8 bytes, if the kind has one;
 *          varint length and bytes of the payload, if the kind has one
 * table    of each block: `first` of its first entry, offset, xxh3-64 of its bytes
 * trailer  offset of the table, number of blocks, {@value #MAGIC} as 8 bytes
 * </pre>
 */
final class IndexFileWriter implements Closeable {
  static final long MAGIC = 0x6361726176616E31L; // caravan1
  static final int TABLE_BYTES = 3 * Long.BYTES;
  static final int TRAILER_BYTES = 3 * Long.BYTES;

  private static final int BLOCK_BYTES = 1 << 16;
  private static final LongHashFunction XXH3 = LongHashFunction.xx3();

  private final IndexFile.Kind kind;
  private final String relativePath;
  private final HashedFile file;
  private final long[] sums = new long[2];
  private byte[] block = new byte[BLOCK_BYTES + 1024];
  private int used;
  private ByteBuffer table = ByteBuffer.allocate(64 * TABLE_BYTES);
  private long entries;
  private long first;
  private long last;
  private long blockFirst;

  /** A file below the index, of a name that no other attempt has. */
  IndexFileWriter(Storage storage, Path index, IndexFile.Kind kind) throws IOException {
    String name = UUID.randomUUID().toString();
    this.kind = kind;
    this.relativePath = kind.label() + "/" + name + ".entries";
    this.file = new HashedFile(storage, new Path(index, relativePath), name);
  }

  static long hash(byte[] bytes, int from, int length) {
    return XXH3.hashBytes(bytes, from, length);
  }

  void write(Entry entry) throws IOException {
    if (entries > 0 && entry.first() < last) {
      throw new IllegalStateException(
          relativePath + ": " + entry.first() + " after " + last + "; report a defect");
    }
    if (used >= BLOCK_BYTES) {
      closeBlock();
    }
    int room = used + 2 * Long.BYTES + 2 * 10 + entry.payload().length;
    if (room > block.length) {
      block = Arrays.copyOf(block, Math.max(room, 2 * block.length));
    }
    if (entries == 0) {
      first = entry.first();
    }
    if (used == 0) {
      blockFirst = entry.first();
      last = entry.first();
    }
    varint(entry.first() - last >>> kind.zeroBits);
    last = entry.first();
    if (kind.hasSecond) {
      Entry.putLong(block, used, entry.second());
      used += Long.BYTES;
    }
    if (kind.hasPayload) {
      varint(entry.payload().length);
      System.arraycopy(entry.payload(), 0, block, used, entry.payload().length);
      used += entry.payload().length;
    }
    entries++;
    add(entry);
  }

  /** Sums that say whether two files, cut and named anyhow, hold the same entries. */
  private void add(Entry entry) {
    byte[] bytes = new byte[entry.bytes()];
    entry.write(bytes, 0);
    long hash = hash(bytes, 0, bytes.length);
    sums[0] += hash;
    sums[1] += Shingles.mix(hash ^ kind.ordinal() + 1);
  }

  long[] sums() {
    return sums.clone();
  }

  private void varint(long value) {
    long rest = value;
    for (; (rest & ~0x7FL) != 0; rest >>>= 7) {
      block[used++] = (byte) (rest | 0x80);
    }
    block[used++] = (byte) rest;
  }

  private void closeBlock() throws IOException {
    if (used == 0) {
      return;
    }
    if (table.remaining() < TABLE_BYTES + TRAILER_BYTES) {
      table = ByteBuffer.allocate(2 * table.capacity()).put(table.flip());
    }
    table.putLong(blockFirst).putLong(file.bytes()).putLong(hash(block, 0, used));
    file.write(block, 0, used);
    used = 0;
  }

  /** Ends the file: it is whole now. */
  IndexFile commit() throws IOException {
    closeBlock();
    int blocks = table.position() / TABLE_BYTES;
    table.putLong(file.bytes()).putLong(blocks).putLong(MAGIC);
    file.write(table.array(), 0, table.position());
    Manifest.OutputFile written = file.commit(relativePath);
    return new IndexFile(
        kind, relativePath, written.bytes(), written.sha256(), entries, first, last);
  }

  /** Drops the file unless it was committed. */
  @Override
  public void close() throws IOException {
    file.close();
  }
}
