package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;

/**
 * A model that adapters are trained beside: engines read it and never write. All workers of a
 * process share one. Its matrices are floats, or packed as bf16 or Q8_0; gains of norms stay
 * floats.
 */
public final class FrozenBase implements AutoCloseable {
  private static final int CACHE_LINE_BYTES = 64;
  private static final int HASHED_BYTES = 1 << 20;

  /** Rows that one task packs. */
  private static final int ROWS_AT_ONCE = 64;

  private final LlamaConfig config;
  private final ParameterLayout layout;
  private final WeightType type;

  /** Of an unpacked base all parameters, else null. */
  private final FloatPointer parameters;

  private final Map<String, WeightMatrix> matrices = new HashMap<>();
  private final Map<String, FloatPointer> gains = new HashMap<>();
  private final List<BytePointer> owned = new ArrayList<>();
  private final NavigableMap<Long, Tensor> byOffset = new TreeMap<>();

  /**
   * A base of floats.
   *
   * @param config its shape; its vocabulary may be smaller than the trained model's where embedding
   *     and head are trained in full
   * @param parameters [ParameterLayout.length()] of that shape; stay the caller's
   */
  public FrozenBase(LlamaConfig config, FloatPointer parameters) {
    this(config, WeightType.F32, parameters);
  }

  private FrozenBase(LlamaConfig config, WeightType type, FloatPointer parameters) {
    this.config = config;
    this.type = type;
    this.parameters = parameters;
    this.layout = new ParameterLayout(config);
    layout.tensors().forEach(tensor -> byOffset.put(tensor.offset(), tensor));
  }

  /**
   * A base of bf16 or Q8_0 matrices, not filled yet: {@link #put} does, all of it, before an engine
   * reads it.
   */
  public static FrozenBase packed(LlamaConfig config, WeightType type) {
    if (type == WeightType.F32) {
      throw new IllegalArgumentException("packed base: got f32, wanted bf16 or q8_0");
    }
    FrozenBase base = new FrozenBase(config, type, null);
    base.layout.tensors().forEach(base::allocate);
    return base;
  }

  /** Bytes of memory that a base of a type takes. */
  public static long bytes(LlamaConfig config, WeightType type) {
    long bytes = 0;
    for (Tensor tensor : new ParameterLayout(config).tensors()) {
      bytes += packs(type, tensor) ? roomFor(type, tensor) : tensor.length() * Float.BYTES;
    }
    return bytes;
  }

  private static boolean packs(WeightType type, Tensor tensor) {
    return type != WeightType.F32 && !tensor.isNorm();
  }

  /** With room to align it, and for vectors that are read past the last element. */
  private static long roomFor(WeightType type, Tensor tensor) {
    return type.bytes(tensor.rows(), tensor.cols()) + 2 * CACHE_LINE_BYTES;
  }

  private void allocate(Tensor tensor) {
    if (!packs(type, tensor)) {
      gains.put(tensor.name(), new FloatPointer(tensor.length()));
      return;
    }
    BytePointer memory = new BytePointer(roomFor(type, tensor));
    owned.add(memory);
    long aligned = (memory.address() + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    matrices.put(tensor.name(), new WeightMatrix(type, aligned, tensor.rows(), tensor.cols()));
  }

  /**
   * Packs whole rows of one tensor.
   *
   * @param offset of the first float among all parameters
   * @param floats at its position {@code count} of them; read only here
   * @throws IllegalStateException for Q8_0 when one is not a finite number
   */
  public void put(long offset, FloatPointer floats, long count) {
    Tensor tensor = at(offset);
    long source = Weights.addressOf(floats);
    long start = offset - tensor.offset();
    if (!packs(type, tensor)) {
      long target = gains.get(tensor.name()).address() + start * Float.BYTES;
      Buffer.Address.copy(source, target, count);
      return;
    }
    int cols = tensor.cols();
    int first = (int) (start / cols);
    int end = first + (int) (count / cols);
    // As if the whole matrix lay there, of which the rows packed here alone are read.
    long matrix = source - start * Float.BYTES;
    WeightMatrix packed = matrices.get(tensor.name());
    IntStream.range(0, (end - first + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE)
        .parallel()
        .forEach(
            chunk -> {
              int from = first + chunk * ROWS_AT_ONCE;
              packed.pack(matrix, from, Math.min(end, from + ROWS_AT_ONCE));
            });
  }

  /**
   * Packs whole rows of one tensor, as readers of checkpoints give them.
   *
   * @param offset of the first float among all parameters
   * @param floats holds {@code count} of them from {@code floats[from]} on
   */
  public void put(long offset, float[] floats, int from, int count) {
    Tensor tensor = at(offset);
    long start = offset - tensor.offset();
    if (packs(type, tensor)) {
      int row = (int) (start / tensor.cols());
      matrices.get(tensor.name()).pack(floats, from, row, row + count / tensor.cols());
    } else {
      FloatPointer gain = gains.get(tensor.name());
      gain.getPointer(start).put(floats, from, count);
    }
  }

  private Tensor at(long offset) {
    return byOffset.floorEntry(offset).getValue();
  }

  public LlamaConfig config() {
    return config;
  }

  /** How the matrices lie. */
  public WeightType type() {
    return type;
  }

  /**
   * [ParameterLayout.length()] floats.
   *
   * @throws IllegalStateException when it is packed: see {@link #copy}
   */
  public FloatPointer parameters() {
    if (parameters == null) {
      throw new IllegalStateException("frozen base: got one in " + type.key() + ", wanted f32");
    }
    return parameters;
  }

  /**
   * Writes a tensor of the base's layout as floats, however it lies.
   *
   * @param target address of {@code tensor.length()} floats
   */
  public void copy(Tensor tensor, long target) {
    WeightMatrix packed = matrices.get(tensor.name());
    if (packed != null) {
      WeightRows.unpack(packed, 0, tensor.rows(), target);
    } else {
      Buffer.Address.copy(address(tensor), target, tensor.length());
    }
  }

  /** A packed matrix by its tensor's name; null where it is floats. */
  WeightMatrix matrix(String name) {
    return matrices.get(name);
  }

  /** Address of a tensor of floats. */
  long address(Tensor tensor) {
    return parameters == null
        ? gains.get(tensor.name()).address()
        : Weights.addressOf(parameters) + tensor.offset() * Float.BYTES;
  }

  /** Bytes of memory that its parameters take, also where they are the caller's. */
  public long bytes() {
    long packed = owned.stream().mapToLong(BytePointer::capacity).sum();
    long floats = gains.values().stream().mapToLong(FloatPointer::capacity).sum();
    return packed + (parameters == null ? floats : layout.length()) * Float.BYTES;
  }

  /** Hashes every element as it lies. */
  public void digest(MessageDigest digest) {
    digest.update(type.key().getBytes(StandardCharsets.UTF_8));
    for (Tensor tensor : layout.tensors()) {
      WeightMatrix packed = matrices.get(tensor.name());
      long bytes = tensor.length() * Float.BYTES;
      if (packed == null) {
        digest(digest, address(tensor), bytes);
      } else {
        digest(digest, packed.row(0), type.bytes(tensor.rows(), tensor.cols()));
      }
    }
  }

  private static void digest(MessageDigest digest, long address, long bytes) {
    BytePointer all = new BytePointer(new Buffer.Address().at(address));
    byte[] chunk = new byte[HASHED_BYTES];
    for (long at = 0; at < bytes; at += chunk.length) {
      int length = (int) Math.min(chunk.length, bytes - at);
      all.position(at).get(chunk, 0, length);
      digest.update(chunk, 0, length);
    }
  }

  /** Frees packed matrices. */
  @Override
  public void close() {
    owned.forEach(BytePointer::close);
    gains.values().forEach(FloatPointer::close);
  }
}
