package caravan.model.checkpoint;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;
import org.bytedeco.javacpp.FloatPointer;

/**
 * A safetensors file, open for reading: an eight-byte little-endian header length, a JSON header
 * (per tensor its type, shape and byte range after the header), then the bytes. Reads F32, F16 and
 * BF16 as float; writes F32 in the order given, so that tensors that are neighbours in memory are
 * neighbours in the file.
 */
public final class SafeTensors implements TensorFile {

  /**
   * A tensor of the file.
   *
   * @param shape its dimensions, slowest first; empty for a scalar
   * @param begin first byte, counted from the start of the file
   */
  public record Entry(String name, DataType type, List<Long> shape, long begin) {
    /** Number of elements. */
    public long length() {
      return SafeTensors.length(shape);
    }
  }

  /** Floats to be written: {@code length(shape)} of them from {@code data[offset]}. */
  public record Source(String name, List<Long> shape, FloatSource data, long offset) {
    public Source(String name, List<Long> shape, FloatPointer data, long offset) {
      this(name, shape, FloatSource.of(data), offset);
    }
  }

  /** Element types that can be read. */
  public enum DataType {
    F32(4),
    F16(2),
    BF16(2);

    private final int bytes;

    DataType(int bytes) {
      this.bytes = bytes;
    }

    private void toFloats(ByteBuffer from, float[] to, int count) {
      if (this == F32) {
        from.asFloatBuffer().get(to, 0, count);
        return;
      }
      for (int i = 0; i < count; i++) {
        short bits = from.getShort(2 * i);
        to[i] = this == BF16 ? Float.intBitsToFloat(bits << 16) : HalfFloat.toFloat(bits);
      }
    }
  }

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long MAX_HEADER_BYTES = 100_000_000;
  private static final int ALIGNMENT = 64;

  private final String path;
  private final FSDataInputStream in;
  private final Map<String, Entry> entries;
  private final Map<String, String> metadata;

  private SafeTensors(
      String path, FSDataInputStream in, Map<String, Entry> entries, Map<String, String> metadata) {
    this.path = path;
    this.in = in;
    this.entries = entries;
    this.metadata = metadata;
  }

  /**
   * @param path a local path or any Hadoop URI
   * @throws IllegalArgumentException when the file is missing, truncated or not safetensors
   */
  public static SafeTensors open(String path, Configuration hadoop) {
    return open(Directory.holding(path, hadoop), new Path(path).getName());
  }

  static SafeTensors open(Directory directory, String file) {
    String path = directory.path(file);
    long size = directory.size(file);
    FSDataInputStream in = directory.open(file);
    try {
      return parse(path, in, size);
    } catch (IOException e) {
      close(in);
      throw new UncheckedIOException("cannot read " + path + ": " + e.getMessage(), e);
    } catch (RuntimeException e) {
      close(in);
      throw e;
    }
  }

  private static SafeTensors parse(String path, FSDataInputStream in, long size)
      throws IOException {
    if (size < 8) {
      throw new IllegalArgumentException(
          path + ": " + size + " bytes, too short for a safetensors file");
    }
    byte[] prefix = new byte[8];
    in.readFully(0, prefix);
    long headerBytes = ByteBuffer.wrap(prefix).order(ByteOrder.LITTLE_ENDIAN).getLong();
    if (headerBytes < 2 || headerBytes > Math.min(MAX_HEADER_BYTES, size - 8)) {
      throw new IllegalArgumentException(
          path
              + ": header of "
              + headerBytes
              + " bytes in a file of "
              + size
              + ": truncated, or not a safetensors file");
    }
    byte[] header = new byte[(int) headerBytes];
    in.readFully(8, header);
    JsonNode json;
    try {
      json = JSON.readTree(header);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(
          path + ": the safetensors header is not JSON: " + e.getOriginalMessage(), e);
    }
    Map<String, Entry> entries = new LinkedHashMap<>();
    Map<String, String> metadata = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> field : json.properties()) {
      if (field.getKey().equals("__metadata__")) {
        field.getValue().properties().forEach(m -> metadata.put(m.getKey(), m.getValue().asText()));
      } else {
        entries.put(
            field.getKey(), entry(path, field.getKey(), field.getValue(), 8 + headerBytes, size));
      }
    }
    return new SafeTensors(path, in, entries, metadata);
  }

  private static Entry entry(String path, String name, JsonNode json, long dataStart, long size) {
    String where = path + ": tensor " + name;
    DataType type;
    try {
      type = DataType.valueOf(json.path("dtype").asText());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          where + " has type " + json.path("dtype") + ", wanted one of F32, F16, BF16", e);
    }
    List<Long> shape = new ArrayList<>();
    json.path("shape").forEach(n -> shape.add(n.asLong()));
    long bytes;
    try {
      bytes = Math.multiplyExact(length(shape), type.bytes);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(where + " has the impossible shape " + shape, e);
    }
    JsonNode offsets = json.path("data_offsets");
    long begin = offsets.path(0).asLong(-1);
    long end = offsets.path(1).asLong(-1);
    if (begin < 0 || end - begin != bytes) {
      throw new IllegalArgumentException(
          where
              + " of shape "
              + shape
              + " and type "
              + type
              + " wants "
              + bytes
              + " bytes, its data_offsets are "
              + offsets);
    }
    if (dataStart + end > size) {
      throw new IllegalArgumentException(
          where
              + " ends at byte "
              + (dataStart + end)
              + " of a file of "
              + size
              + ": truncated; copy or download it again");
    }
    return new Entry(name, type, List.copyOf(shape), dataStart + begin);
  }

  /** Tensors by name, in the header's order. */
  public Map<String, Entry> entries() {
    return Collections.unmodifiableMap(entries);
  }

  /**
   * A tensor of so many elements.
   *
   * @param next what to do when there is none, for the message
   * @throws IllegalArgumentException when it is missing or of another length
   */
  Entry vector(String name, long length, String next) {
    Entry entry = entries.get(name);
    if (entry == null || entry.length() != length) {
      throw new IllegalArgumentException(
          path
              + ": tensor "
              + name
              + (entry == null ? " is missing" : " has shape " + entry.shape())
              + ", wanted ["
              + length
              + "]; "
              + next);
    }
    return entry;
  }

  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  @Override
  public String path() {
    return path;
  }

  @Override
  public Map<String, List<Long>> shapes() {
    Map<String, List<Long>> shapes = new LinkedHashMap<>();
    entries.forEach((name, entry) -> shapes.put(name, entry.shape()));
    return shapes;
  }

  @Override
  public void read(String name, WeightSink target, long offset) {
    Entry entry = entries.get(name);
    String where = path + ": tensor " + name;
    read(entry, FiniteWeights.guard(where, entry.shape(), offset, target), offset);
  }

  /**
   * Reads a whole tensor as floats.
   *
   * @param target receives {@code entry.length()} floats, whatever they are, from {@code
   *     target[offset]} on
   */
  public void read(Entry entry, FloatPointer target, long offset) {
    read(entry, WeightSink.into(target), offset);
  }

  private void read(Entry entry, WeightSink target, long offset) {
    int stretch = (int) Math.min(WeightSink.stretch(entry.shape()), entry.length());
    byte[] bytes = new byte[stretch * entry.type().bytes];
    float[] floats = new float[stretch];
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (long done = 0; done < entry.length(); done += stretch) {
      int count = (int) Math.min(stretch, entry.length() - done);
      try {
        in.readFully(
            entry.begin() + done * entry.type().bytes, bytes, 0, count * entry.type().bytes);
      } catch (IOException e) {
        throw new UncheckedIOException(
            "cannot read tensor " + entry.name() + " of " + path + ": " + e.getMessage(), e);
      }
      entry.type().toFloats(buffer, floats, count);
      target.put(offset + done, floats, 0, count);
    }
  }

  @Override
  public void close() {
    close(in);
  }

  private static void close(FSDataInputStream in) {
    try {
      in.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes tensors as F32, one after the other in the order given. */
  public static void write(OutputStream out, Map<String, String> metadata, List<Source> tensors)
      throws IOException {
    ObjectNode header = JSON.createObjectNode();
    ObjectNode metadataNode = header.putObject("__metadata__");
    metadata.forEach(metadataNode::put);
    long position = 0;
    for (Source tensor : tensors) {
      if (header.has(tensor.name())) {
        throw new IllegalArgumentException("two tensors of one file are named " + tensor.name());
      }
      ObjectNode node = header.putObject(tensor.name());
      node.put("dtype", DataType.F32.name());
      var shape = node.putArray("shape");
      tensor.shape().forEach(shape::add);
      long end = position + length(tensor.shape()) * DataType.F32.bytes;
      node.putArray("data_offsets").add(position).add(end);
      position = end;
    }
    // Spaces after the JSON align the data, as the format allows.
    StringBuilder text = new StringBuilder(JSON.writeValueAsString(header));
    byte[] json = text.toString().getBytes(StandardCharsets.UTF_8);
    int padding = Math.floorMod(-(8 + json.length), ALIGNMENT);
    byte[] prefix = new byte[8];
    ByteBuffer.wrap(prefix).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length + padding);
    out.write(prefix);
    out.write(json);
    out.write(" ".repeat(padding).getBytes(StandardCharsets.US_ASCII));
    for (Source tensor : tensors) {
      tensor.data().write(out, tensor.offset(), length(tensor.shape()));
    }
  }

  private static long length(List<Long> shape) {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }
}
