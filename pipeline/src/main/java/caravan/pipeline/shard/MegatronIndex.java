package caravan.pipeline.shard;

import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.fs.Path;

/**
 * The {@code .idx} of Megatron-LM's indexed datasets (megatron/core/datasets/indexed_dataset.py,
 * version 1), little-endian: {@code MMIDIDX\0\0}, uint64 version, uint8 type of an id, uint64
 * sequences, uint64 documents + 1, int32 length of each sequence in ids, int64 start of each in
 * bytes, int64 index of each document's first sequence, and their end. A document here is one
 * sequence.
 *
 * <p>Megatron has no uint32; its int32 is the same bytes for every id there is.
 */
final class MegatronIndex {
  private static final byte[] MAGIC = "MMIDIDX\0\0".getBytes(StandardCharsets.US_ASCII);
  private static final long VERSION = 1;
  private static final byte INT32 = 4;
  private static final byte UINT16 = 8;

  private MegatronIndex() {}

  /**
   * Writes the index of a shard from its bounds, which are read as often as the layout asks for: no
   * more than a buffer is in memory.
   *
   * @param bounds the finished file of each document's end in tokens
   */
  static Manifest.OutputFile write(
      Storage storage, Path bounds, long documents, TokenType dtype, HashedFile out, String path)
      throws IOException {
    ByteBuffer head =
        ByteBuffer.allocate(MAGIC.length + 25)
            .order(ByteOrder.LITTLE_ENDIAN)
            .put(MAGIC)
            .putLong(VERSION)
            .put(dtype == TokenType.UINT16 ? UINT16 : INT32)
            .putLong(documents)
            .putLong(documents + 1);
    out.write(head.array());
    ByteBuffer number = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    try (Ends ends = new Ends(storage, bounds)) {
      for (long i = 0, start = 0; i < documents; i++) {
        long end = ends.next();
        out.write(number.putInt(0, Math.toIntExact(end - start)).array(), 0, Integer.BYTES);
        start = end;
      }
    }
    try (Ends ends = new Ends(storage, bounds)) {
      for (long i = 0, start = 0; i < documents; i++) {
        out.write(number.putLong(0, start * dtype.bytes()).array());
        start = ends.next();
      }
    }
    for (long i = 0; i <= documents; i++) out.write(number.putLong(0, i).array());
    return out.commit(path);
  }

  /** Each document's end, in turn. */
  private static final class Ends implements AutoCloseable {
    private final DataInputStream in;

    Ends(Storage storage, Path bounds) throws IOException {
      in = new DataInputStream(new BufferedInputStream(storage.open(bounds), 1 << 16));
    }

    long next() throws IOException {
      try {
        return Long.reverseBytes(in.readLong());
      } catch (EOFException e) {
        throw new IOException("the bounds of a shard are cut off", e);
      }
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }
}
