package caravan.model.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.FSDataInputStream;

/**
 * A GGUF file (versions 2 and 3, little endian), open for reading: magic, version, counts,
 * metadata, tensor descriptions, then the tensors' bytes, aligned.
 */
final class GgufFile implements AutoCloseable {

  /**
   * A tensor of the file.
   *
   * @param shape its dimensions, slowest first
   * @param begin first byte, counted from the start of the file
   */
  record Tensor(String name, GgufType type, List<Long> shape, long begin) {
    long length() {
      return shape.stream().reduce(1L, Math::multiplyExact);
    }
  }

  static final int MAGIC = 0x46554747;
  static final String ALIGNMENT = "general.alignment";
  static final int DEFAULT_ALIGNMENT = 32;
  private static final int MAX_DIMENSIONS = 4;
  private static final int CHUNK_ELEMENTS = 1 << 16;

  private final String path;
  private final FSDataInputStream in;
  private final Map<String, Object> metadata = new LinkedHashMap<>();
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  private GgufFile(String path, FSDataInputStream in) {
    this.path = path;
    this.in = in;
  }

  /**
   * @throws IllegalArgumentException when the file is missing, truncated, or not GGUF
   */
  static GgufFile open(Directory directory, String file) {
    String path = directory.path(file);
    long size = directory.size(file);
    GgufFile opened = new GgufFile(path, directory.open(file));
    try {
      opened.readHeader(new Header(path, opened.in, size));
      return opened;
    } catch (IOException e) {
      opened.close();
      throw new UncheckedIOException("cannot read " + path + ": " + e.getMessage(), e);
    } catch (RuntimeException e) {
      opened.close();
      throw e;
    }
  }

  String path() {
    return path;
  }

  /** Strings, booleans, Long, Double and lists of these, by key. */
  Map<String, Object> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  Map<String, Tensor> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  private void readHeader(Header header) throws IOException {
    int magic = header.integer();
    int version = header.integer();
    if (magic != MAGIC || (version != 2 && version != 3)) {
      throw new IllegalArgumentException(
          path
              + (magic == MAGIC ? ": version " + version + " of GGUF" : ": not a GGUF file")
              + ", wanted GGUF version 2 or 3, little endian");
    }
    long tensorCount = header.count("tensors");
    long keys = header.count("metadata keys");
    for (long i = 0; i < keys; i++) {
      String key = header.string();
      metadata.put(key, header.value(header.integer(), key));
    }
    List<Tensor> described = new ArrayList<>();
    for (long i = 0; i < tensorCount; i++) {
      described.add(tensor(header));
    }
    long alignment = (Long) metadata.getOrDefault(ALIGNMENT, (long) DEFAULT_ALIGNMENT);
    if (alignment < 1 || Long.bitCount(alignment) != 1) {
      throw new IllegalArgumentException(
          path + ": " + ALIGNMENT + " is " + alignment + ", wanted a power of two");
    }
    long data = (header.position() + alignment - 1) / alignment * alignment;
    for (Tensor tensor : described) {
      place(tensor, data, header.size);
    }
  }

  /** With its offset among the data as {@code begin}. */
  private Tensor tensor(Header header) throws IOException {
    String name = header.string();
    String where = path + ": tensor " + name;
    int dimensions = header.integer();
    if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
      throw new IllegalArgumentException(
          where + " has " + dimensions + " dimensions, wanted 1 to " + MAX_DIMENSIONS);
    }
    List<Long> shape = new ArrayList<>();
    for (int d = 0; d < dimensions; d++) {
      shape.add(header.number());
    }
    Collections.reverse(shape);
    GgufType type = GgufType.of(header.integer(), where);
    long fastest = shape.get(dimensions - 1);
    if (fastest % type.blockElements != 0) {
      throw new IllegalArgumentException(
          where + " has rows of " + fastest + ", wanted blocks of " + type.blockElements);
    }
    return new Tensor(name, type, List.copyOf(shape), header.number());
  }

  private void place(Tensor tensor, long data, long size) {
    long end;
    try {
      end =
          Math.addExact(Math.addExact(data, tensor.begin()), tensor.type().bytes(tensor.length()));
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          path + ": tensor " + tensor.name() + " has the impossible shape " + tensor.shape(), e);
    }
    if (tensor.begin() < 0 || tensor.length() < 0 || end > size) {
      throw new IllegalArgumentException(
          "%s: tensor %s of shape %s and type %s ends at byte %,d of a file of %,d: truncated; copy or download it again"
              .formatted(path, tensor.name(), tensor.shape(), tensor.type(), end, size));
    }
    tensors.put(
        tensor.name(),
        new Tensor(tensor.name(), tensor.type(), tensor.shape(), data + tensor.begin()));
  }

  /**
   * Dequantizes a whole tensor, in stretches of whole rows.
   *
   * @param target receives its elements, at 0 and on
   * @throws IllegalArgumentException when one is NaN or infinite
   */
  void read(Tensor tensor, WeightSink target) {
    long row = tensor.shape().get(tensor.shape().size() - 1);
    long stretch = Math.max(1, CHUNK_ELEMENTS / row) * row;
    GgufType type = tensor.type();
    WeightSink guarded =
        FiniteWeights.guard(path + ": tensor " + tensor.name(), tensor.shape(), 0, target);
    float[] floats = new float[(int) stretch];
    byte[] bytes = new byte[(int) type.bytes(stretch)];
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (long done = 0; done < tensor.length(); done += stretch) {
      int count = (int) Math.min(stretch, tensor.length() - done);
      try {
        in.readFully(tensor.begin() + type.bytes(done), bytes, 0, (int) type.bytes(count));
      } catch (IOException e) {
        throw new UncheckedIOException(
            "cannot read tensor " + tensor.name() + " of " + path + ": " + e.getMessage(), e);
      }
      for (int at = 0, from = 0; at < count; at += type.blockElements, from += type.blockBytes) {
        type.read(buffer, from, floats, at);
      }
      guarded.put(done, floats, 0, count);
    }
  }

  @Override
  public void close() {
    try {
      in.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The part before the tensors' bytes; every length in it is checked against the file's. */
  private static final class Header {
    private final String path;
    private final FSDataInputStream file;
    private final java.io.DataInputStream in;
    private final long size;
    private long position;

    Header(String path, FSDataInputStream file, long size) {
      this.path = path;
      this.file = file;
      this.in = new java.io.DataInputStream(new java.io.BufferedInputStream(file, 1 << 16));
      this.size = size;
    }

    long position() {
      return position;
    }

    private ByteBuffer bytes(long count) throws IOException {
      if (count < 0 || count > size - position) {
        throw new IllegalArgumentException(
            "%s: at byte %,d of %,d its header speaks of %s more bytes: truncated, or not GGUF"
                .formatted(path, position, size, Long.toUnsignedString(count)));
      }
      byte[] bytes = new byte[Math.toIntExact(count)];
      in.readFully(bytes);
      position += count;
      return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    int integer() throws IOException {
      return bytes(4).getInt();
    }

    long number() throws IOException {
      return bytes(8).getLong();
    }

    long count(String what) throws IOException {
      long count = number();
      if (count < 0 || count > size) {
        throw new IllegalArgumentException(
            "%s: got %s %s in a file of %,d bytes: truncated, or not GGUF"
                .formatted(path, Long.toUnsignedString(count), what, size));
      }
      return count;
    }

    String string() throws IOException {
      return StandardCharsets.UTF_8.decode(bytes(number())).toString();
    }

    Object value(int type, String key) throws IOException {
      return switch (type) {
        case 0 -> (long) (bytes(1).get() & 0xff);
        case 1 -> (long) bytes(1).get();
        case 2 -> (long) (bytes(2).getShort() & 0xffff);
        case 3 -> (long) bytes(2).getShort();
        case 4 -> Integer.toUnsignedLong(integer());
        case 5 -> (long) integer();
        case 6 -> (double) bytes(4).getFloat();
        case 7 -> bytes(1).get() != 0;
        case 8 -> string();
        case 9 -> {
          int element = integer();
          long count = count("elements of " + key);
          List<Object> list = new ArrayList<>();
          for (long i = 0; i < count; i++) {
            list.add(value(element, key));
          }
          yield list;
        }
        case 10, 11 -> number();
        case 12 -> bytes(8).getDouble();
        default ->
            throw new IllegalArgumentException(
                path + ": " + key + " has value type " + type + ", which GGUF does not have");
      };
    }
  }
}
