package caravan.pipeline.tokenize;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;
import java.util.function.BiConsumer;
import scala.Tuple2;

/**
 * Packs records into blocks of bytes, one open block per target: {@link EncodedDocument}s that go
 * to one place travel together. A record that is larger than a block has a block of its own.
 */
final class BlockPacker {
  /** What the open blocks of a task may take in memory together. */
  private static final int OPEN_BYTES = 32 << 20;

  private static final int MAX_BYTES = 1 << 18;
  private static final int MIN_BYTES = 1 << 10;

  private final ByteBuffer[] open;
  private final int blockBytes;
  private final Queue<Tuple2<Integer, byte[]>> full = new ArrayDeque<>();

  private BlockPacker(int targets) {
    open = new ByteBuffer[targets];
    blockBytes = Math.max(MIN_BYTES, Math.min(MAX_BYTES, OPEN_BYTES / Math.max(1, targets)));
  }

  /**
   * Blocks of records, with their targets, as they fill up.
   *
   * @param add writes what an item becomes into {@link #room}
   */
  static <T> Iterator<Tuple2<Integer, byte[]>> pack(
      Iterator<T> items, int targets, BiConsumer<T, BlockPacker> add) {
    BlockPacker packer = new BlockPacker(targets);
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        while (packer.full.isEmpty() && items.hasNext()) add.accept(items.next(), packer);
        if (packer.full.isEmpty()) packer.closeAll();
        return !packer.full.isEmpty();
      }

      @Override
      public Tuple2<Integer, byte[]> next() {
        if (!hasNext()) throw new NoSuchElementException("no more blocks");
        return packer.full.remove();
      }
    };
  }

  /** A block of the target that stands where a record of so many bytes goes. */
  ByteBuffer room(int target, int bytes) {
    if (open[target] != null && open[target].remaining() < bytes) close(target);
    if (open[target] == null) {
      open[target] =
          ByteBuffer.allocate(Math.max(blockBytes, bytes)).order(ByteOrder.LITTLE_ENDIAN);
    }
    return open[target];
  }

  private void close(int target) {
    ByteBuffer block = open[target];
    boolean isFull = block.position() == block.capacity();
    full.add(
        new Tuple2<>(
            target, isFull ? block.array() : Arrays.copyOf(block.array(), block.position())));
    open[target] = null;
  }

  private void closeAll() {
    for (int target = 0; target < open.length; target++) {
      if (open[target] != null) close(target);
    }
  }

  /** The documents of blocks, in order. */
  static Iterator<EncodedDocument> documents(Iterator<byte[]> blocks) {
    return new Iterator<>() {
      private ByteBuffer block = ByteBuffer.allocate(0);
      private int at;

      @Override
      public boolean hasNext() {
        while (at == block.capacity() && blocks.hasNext()) {
          block = ByteBuffer.wrap(blocks.next()).order(ByteOrder.LITTLE_ENDIAN);
          at = 0;
        }
        return at < block.capacity();
      }

      @Override
      public EncodedDocument next() {
        if (!hasNext()) throw new NoSuchElementException("no more documents");
        EncodedDocument document = new EncodedDocument(block, at);
        at += document.bytes();
        return document;
      }
    };
  }
}
