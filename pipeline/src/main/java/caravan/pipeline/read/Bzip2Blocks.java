package caravan.pipeline.read;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;

/**
 * The blocks of a bzip2 file from any byte on. A block begins with 48 fixed bits at any bit and can
 * be decompressed alone; so a file, of one stream or many, can be entered anywhere, and a damaged
 * block costs no other. The fixed bits turn up by chance once in 2^48 positions; such a block shows
 * as damaged.
 */
final class Bzip2Blocks {
  private static final long BLOCK = 0x314159265359L;
  private static final long END_OF_STREAM = 0x177245385090L;
  private static final long MARK_BITS = 48;
  private static final long MARK_MASK = (1L << MARK_BITS) - 1;

  /** A block is decompressed as a stream of its own, which begins so: the largest block size. */
  private static final byte[] HEADER = {'B', 'Z', 'h', '9'};

  /** More compressed bytes than any block has: 900,000 bytes of 20 bits, and tables. */
  private static final int LARGEST = 4 << 20;

  /**
   * @param position of the byte in the file where the block begins
   * @param bytes decompressed; null when it is damaged
   * @param damage why it could not be decompressed; empty when it could
   */
  record Block(long position, byte[] bytes, String damage) {}

  private final InputStream in;
  private final byte[] buffer = new byte[1 << 16];
  private int at;
  private int limit;

  /** The last 48 bits read, and how many bits of the file were read. */
  private long window;

  private long bits;
  private final long firstBit;

  /** First bit of the block that is being collected, -1 outside of blocks. */
  private long blockStart = -1;

  private byte[] collected = new byte[1 << 20];

  /** Bytes of {@link #collected}; the first one holds the block's first bit. */
  private int length;

  /** What is found while a byte is read: a mark's bits end inside of it. */
  private long foundStart;

  private long foundMark;

  /**
   * @param in the file's stored bytes from {@code position} on
   */
  Bzip2Blocks(InputStream in, long position) {
    this.in = in;
    this.bits = position * 8;
    this.firstBit = bits;
  }

  /** The next block that begins at or after the position; null at the end of the file. */
  Block next() throws IOException {
    while (true) {
      int b = read();
      if (b < 0) {
        return end();
      }
      boolean found = push(b);
      if (blockStart >= 0) {
        collect(b);
      }
      if (found) {
        Block block = blockStart >= 0 ? block(foundStart) : null;
        blockStart = -1;
        if (foundMark == BLOCK) {
          begin(foundStart);
        }
        if (block != null) {
          return block;
        }
      }
    }
  }

  private Block end() {
    if (blockStart < 0) {
      return null;
    }
    Block cut = new Block(blockStart >>> 3, null, "the file ends inside of the block");
    blockStart = -1;
    return cut;
  }

  private int read() throws IOException {
    if (at == limit) {
      at = 0;
      limit = Math.max(0, in.read(buffer, 0, buffer.length));
    }
    return limit == 0 ? -1 : buffer[at++] & 0xFF;
  }

  /** Takes eight bits; whether a mark ended among them. */
  private boolean push(int b) {
    boolean found = false;
    for (int shift = 7; shift >= 0; shift--) {
      window = (window << 1 | (b >>> shift & 1)) & MARK_MASK;
      bits++;
      if ((window == BLOCK || window == END_OF_STREAM) && bits - firstBit >= MARK_BITS) {
        found = true;
        foundMark = window;
        foundStart = bits - MARK_BITS;
      }
    }
    return found;
  }

  /** Begins a block whose mark was just read: its bytes are still in the window. */
  private void begin(long start) {
    blockStart = start;
    length = 0;
    // The bits read so far from the byte on that holds the first one; the last byte is whole.
    for (long bit = start & ~7L; bit < bits; bit += 8) {
      int behind = (int) (bits - bit - 8);
      collected[length++] = (byte) (behind <= 40 ? window >>> behind : 0);
    }
    if ((start & 7) != 0) {
      // Of its first byte the window holds the block's bits only, and no others are needed.
      int own = (int) (8 - (start & 7));
      collected[0] = (byte) (BLOCK >>> (MARK_BITS - own));
    }
  }

  private void collect(int b) {
    if (length == collected.length) {
      if (length >= LARGEST) {
        return;
      }
      collected = Arrays.copyOf(collected, Math.min(LARGEST, 2 * length));
    }
    collected[length++] = (byte) b;
  }

  /** The block that ends before this bit. */
  private Block block(long endBit) {
    long position = blockStart >>> 3;
    if (length >= LARGEST) {
      return new Block(position, null, "no end in %,d bytes".formatted(LARGEST));
    }
    BitWriter stream = new BitWriter(length + 32);
    for (byte b : HEADER) {
      stream.write(b & 0xFF, 8);
    }
    long size = endBit - blockStart;
    int skip = (int) (blockStart & 7);
    for (long bit = 0; bit < size; bit += 8) {
      int count = (int) Math.min(8, size - bit);
      stream.write(bitsAt(skip + bit, count), count);
    }
    // The checksum of a stream of one block is the block's, which follows its mark.
    long checksum = 0;
    for (int i = 0; i < 4; i++) {
      checksum = checksum << 8 | bitsAt(skip + MARK_BITS + 8 * i, 8);
    }
    stream.write(END_OF_STREAM >>> 24, 24);
    stream.write(END_OF_STREAM & 0xFFFFFF, 24);
    stream.write(checksum >>> 16, 16);
    stream.write(checksum & 0xFFFF, 16);
    return decompress(position, stream.bytes());
  }

  private static Block decompress(long position, byte[] stream) {
    try (InputStream in = new BZip2CompressorInputStream(new ByteArrayInputStream(stream))) {
      return new Block(position, in.readAllBytes(), "");
    } catch (IOException | RuntimeException e) {
      // The decompressor meets damaged tables with exceptions of many kinds.
      return new Block(position, null, "damaged: " + e.getMessage());
    }
  }

  /** Up to eight bits of the collected bytes. */
  private int bitsAt(long bit, int count) {
    int index = (int) (bit >>> 3);
    int two = (collected[index] & 0xFF) << 8;
    two |= index + 1 < length ? collected[index + 1] & 0xFF : 0;
    return two >>> (16 - (bit & 7) - count) & ((1 << count) - 1);
  }

  private static final class BitWriter {
    private final ByteArrayOutputStream out;
    private long pending;
    private int count;

    BitWriter(int size) {
      out = new ByteArrayOutputStream(size);
    }

    /** Writes the lowest {@code n} ≤ 24 bits. */
    void write(long value, int n) {
      pending = pending << n | value;
      count += n;
      while (count >= 8) {
        count -= 8;
        out.write((int) (pending >>> count));
        pending &= (1L << count) - 1;
      }
    }

    byte[] bytes() {
      if (count > 0) {
        write(0, 8 - count);
      }
      return out.toByteArray();
    }
  }
}
