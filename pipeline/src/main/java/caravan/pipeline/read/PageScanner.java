package caravan.pipeline.read;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Finds the page elements in the bytes of a MediaWiki export, however they are cut into chunks. */
final class PageScanner {
  /**
   * Bytes of the export.
   *
   * @param position where they are stored: of the first byte, or of the compressed block that holds
   *     all of them
   * @param bytes null when they could not be read
   * @param block whether all bytes have the same position
   * @param damage why they could not be read; else empty
   */
  record Chunk(long position, byte[] bytes, boolean block, String damage) {}

  /** Where the bytes come from. */
  interface Chunks {
    /** The next bytes; null at the end. */
    Chunk next() throws IOException;

    /** Bytes that are stored as they are, from {@code position} on. */
    static Chunks of(InputStream in, long position) {
      long[] at = {position};
      return () -> {
        byte[] bytes = in.readNBytes(1 << 16);
        long start = at[0];
        at[0] += bytes.length;
        return bytes.length == 0 ? null : new Chunk(start, bytes, false, "");
      };
    }

    /** Bytes that are stored in blocks. */
    static Chunks of(Bzip2Blocks blocks) {
      return () -> {
        Bzip2Blocks.Block block = blocks.next();
        return block == null
            ? null
            : new Chunk(block.position(), block.bytes(), true, block.damage());
      };
    }
  }

  /**
   * What was found: a page's bytes between its tags, or damage.
   *
   * @param position where the page begins, or the damaged bytes
   * @param number of pages and damages before it at the same position
   * @param damage empty for a page
   */
  record Found(long position, int number, byte[] page, String damage) {}

  private static final byte[] OPEN = "<page>".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] CLOSE = "</page>".getBytes(StandardCharsets.US_ASCII);

  /** What is given of a page that is too long. */
  private static final int SHOWN_BYTES = 4096;

  private final Chunks chunks;
  private final long end;
  private final int maxBytes;
  private Chunk chunk = new Chunk(0, new byte[0], true, "");
  private int at;

  /** A damaged chunk that is reported after the page that it cut. */
  private Chunk damaged;

  /** How many bytes of the tag that is looked for were just read, and where its first one is. */
  private int matched;

  private long tagPosition;
  private boolean inPage;
  private long pagePosition;
  private byte[] page = new byte[1 << 16];
  private int length;
  private long cutBytes;
  private long lastPosition = -1;
  private int number;

  /**
   * @param end pages and damages that begin at or after this position are not looked at
   * @param maxBytes of longer pages only the beginning is given, as damaged
   */
  PageScanner(Chunks chunks, long end, int maxBytes) {
    this.chunks = chunks;
    this.end = end;
    this.maxBytes = maxBytes;
  }

  /** The next page or damage; null after the last one that begins before the end. */
  Found next() throws IOException {
    while (true) {
      if (damaged != null) {
        Chunk read = damaged;
        damaged = null;
        return read.position() < end ? found(read.position(), new byte[0], read.damage()) : null;
      }
      if (at < chunk.bytes().length) {
        if (!inPage && (matched > 0 ? tagPosition : position()) >= end) {
          return null;
        }
        if (step(chunk.bytes()[at])) {
          at++;
          return page();
        }
        at++;
        continue;
      }
      Chunk read = chunks.next();
      boolean cut = inPage && (read == null || read.bytes() == null);
      if (read == null) {
        inPage = false;
        return cut ? cutOff("the file ends before </page>") : null;
      }
      if (read.bytes() != null) {
        chunk = read;
        at = 0;
        continue;
      }
      damaged = read;
      matched = 0;
      if (cut) {
        inPage = false;
        return cutOff("the page runs into damaged bytes at " + read.position());
      }
    }
  }

  private long position() {
    return chunk.block() ? chunk.position() : chunk.position() + at;
  }

  /** Takes a byte; whether it ends a page. */
  private boolean step(byte b) {
    byte[] tag = inPage ? CLOSE : OPEN;
    if (inPage) {
      collect(b);
    }
    if (b == tag[matched]) {
      tagPosition = matched == 0 ? position() : tagPosition;
      matched++;
    } else {
      matched = b == tag[0] ? 1 : 0;
      tagPosition = position();
    }
    if (matched < tag.length) {
      return false;
    }
    matched = 0;
    if (inPage) {
      return true;
    }
    inPage = true;
    pagePosition = tagPosition;
    length = 0;
    cutBytes = 0;
    return false;
  }

  private void collect(byte b) {
    if (length >= maxBytes) {
      cutBytes++;
      return;
    }
    if (length == page.length) {
      page = Arrays.copyOf(page, (int) Math.min(maxBytes, 2L * length));
    }
    page[length++] = b;
  }

  private Found page() {
    inPage = false;
    if (cutBytes > CLOSE.length) {
      String damage =
          "%,d bytes, shown %,d; maximum %,d".formatted(length + cutBytes, SHOWN_BYTES, maxBytes);
      return found(pagePosition, Arrays.copyOf(page, Math.min(SHOWN_BYTES, length)), damage);
    }
    int bytes = length + (int) cutBytes - CLOSE.length;
    return found(pagePosition, Arrays.copyOf(page, bytes), "");
  }

  private Found cutOff(String damage) {
    return found(pagePosition, Arrays.copyOf(page, Math.min(SHOWN_BYTES, length)), damage);
  }

  private Found found(long position, byte[] bytes, String damage) {
    number = position == lastPosition ? number + 1 : 0;
    lastPosition = position;
    return new Found(position, number, bytes, damage);
  }
}
