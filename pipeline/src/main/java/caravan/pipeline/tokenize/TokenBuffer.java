package caravan.pipeline.tokenize;

import caravan.pipeline.shard.TokenType;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** A growing run of token ids, reused from document to document. */
public final class TokenBuffer {
  private int[] ids = new int[256];
  private int size;

  public void add(int id) {
    if (size == ids.length) grow(size + 1);
    ids[size++] = id;
  }

  public void add(int[] more) {
    if (size + more.length > ids.length) grow(Math.addExact(size, more.length));
    System.arraycopy(more, 0, ids, size, more.length);
    size += more.length;
  }

  /** Appends {@code count} ids of {@code source}, from {@code start} on. */
  public void add(int[] source, int start, int count) {
    if (size + count > ids.length) grow(Math.addExact(size, count));
    for (int i = 0; i < count; i++) ids[size + i] = source[start + i];
    size += count;
  }

  /** From a position on, leaves one of each run of an id. */
  void collapse(int id, int from) {
    int kept = from;
    for (int i = from; i < size; i++) {
      if (ids[i] != id || kept == from || ids[kept - 1] != id) ids[kept++] = ids[i];
    }
    size = kept;
  }

  /** The id at a position in {@code [0, size)}. */
  public int get(int position) {
    if (position < 0 || position >= size) {
      throw new IndexOutOfBoundsException("position " + position + " of " + size + " ids");
    }
    return ids[position];
  }

  public int size() {
    return size;
  }

  /** Forgets the ids and keeps the memory. */
  public void clear() {
    size = 0;
  }

  public int[] toArray() {
    return Arrays.copyOf(ids, size);
  }

  /** Writes the ids as they lie in a shard into a little-endian block. */
  void writeTo(ByteBuffer block, TokenType dtype) {
    int start = block.position();
    if (dtype == TokenType.UINT16) {
      for (int i = 0; i < size; i++) block.putShort(start + 2 * i, (short) ids[i]);
    } else {
      for (int i = 0; i < size; i++) block.putInt(start + 4 * i, ids[i]);
    }
    block.position(start + size * dtype.bytes());
  }

  private void grow(int wanted) {
    ids = Arrays.copyOf(ids, (int) Math.min(Integer.MAX_VALUE - 8L, Math.max(wanted, 2L * size)));
  }
}
