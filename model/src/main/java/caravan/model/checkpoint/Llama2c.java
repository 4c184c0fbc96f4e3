package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.RopeScaling;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;

/**
 * llama2.c's model files, little endian. Seven int32 tell the shape: dim, hidden_dim, n_layers,
 * n_heads, n_kv_heads, vocab_size, max_seq_len.
 *
 * <ul>
 *   <li>Version 0 starts with them (a negative vocab_size means that the head is not the
 *       embedding); floats follow.
 *   <li>Versions 1 and 2 have a header of 256 bytes: a magic number, the version, the seven, a byte
 *       that is 1 where the head is the embedding, and in version 2 the int32 group size. Floats
 *       follow in version 1; in version 2 gains are floats, and each matrix is int8 with a float
 *       scale per group.
 * </ul>
 *
 * <p>Queries and keys lie in Meta's rotary order there: see {@link RotaryRows}.
 */
public final class Llama2c {
  static final int MAGIC = 0x616b3432;
  private static final int SHAPE_BYTES = 7 * Integer.BYTES;
  private static final int HEADER_BYTES = 256;
  private static final int GROUP = 64;

  /** The format does not carry these two: llama2.c has them as constants. */
  static final double ROPE_THETA = 10000;

  static final double NORM_EPS = 1e-5;

  /** BOS and EOS of llama2.c's tokenizers. */
  public static final SpecialTokens SPECIAL_TOKENS = SpecialTokens.of(1, 2);

  /**
   * What a file's first bytes say.
   *
   * @param group elements that share a scale; 0 where weights are floats
   * @param bytes of the header
   */
  record Header(LlamaConfig config, int version, int group, int bytes) {
    long fileBytes() {
      ParameterLayout layout = new ParameterLayout(config);
      if (version == 0) {
        long tables = (long) config.contextLength() * config.headDim();
        return bytes + Float.BYTES * (layout.length() + tables);
      }
      if (version == 1) {
        return bytes + Float.BYTES * layout.length();
      }
      long gains = (2L * config.layerCount() + 1) * config.hiddenSize();
      long matrices = layout.length() - gains;
      return bytes + Float.BYTES * (gains + matrices / group) + matrices;
    }
  }

  private Llama2c() {}

  /**
   * Reads a model of version 0, 1 or 2.
   *
   * @throws IllegalArgumentException when the file is of none of them or its size does not fit its
   *     header
   */
  public static Checkpoint read(String path, Configuration hadoop) {
    try (WholeVector whole = new WholeVector()) {
      return whole.model(read(path, hadoop, whole));
    }
  }

  /**
   * Reads a model without keeping its weights.
   *
   * @param weights makes what receives them
   */
  public static CheckpointHead read(
      String path, Configuration hadoop, Function<LlamaConfig, WeightSink> weights) {
    Directory directory = Directory.holding(path, hadoop);
    String file = new Path(path).getName();
    long size = directory.size(file);
    try (FSDataInputStream in = directory.open(file)) {
      Header header = header(path, in, size);
      new Llama2cTensors(header).read(path, in, weights.apply(header.config));
      return CheckpointHead.ofModel(header.config, SPECIAL_TOKENS, Map.of());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + path + ": " + e.getMessage(), e);
    }
  }

  private static Header header(String path, FSDataInputStream in, long size) throws IOException {
    if (size < SHAPE_BYTES) {
      throw new IllegalArgumentException(
          path + ": " + size + " bytes, too short for a llama2.c model");
    }
    byte[] bytes = new byte[(int) Math.min(size, HEADER_BYTES)];
    in.readFully(0, bytes);
    ByteBuffer start = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    Header header;
    try {
      header = start.getInt(0) == MAGIC ? versioned(start) : versionZero(start);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(path + ": not a llama2.c model: " + e.getMessage(), e);
    }
    if (size != header.fileBytes()) {
      throw new IllegalArgumentException(
          "%s: %d bytes, its header (version %d) %s wants %d: truncated, or not a llama2.c model"
              .formatted(path, size, header.version, header.config, header.fileBytes()));
    }
    in.seek(header.bytes);
    return header;
  }

  private static Header versionZero(ByteBuffer start) {
    LlamaConfig config = shape(start, start.getInt(5 * Integer.BYTES) > 0);
    return new Header(config, 0, 0, SHAPE_BYTES);
  }

  private static Header versioned(ByteBuffer start) {
    start.getInt();
    int version = start.getInt();
    if (version != 1 && version != 2) {
      throw new IllegalArgumentException("version " + version + " of the format, wanted 0, 1 or 2");
    }
    if (start.capacity() < HEADER_BYTES) {
      throw new IllegalArgumentException("a header of " + start.capacity() + " bytes, wanted 256");
    }
    LlamaConfig config = shape(start, start.get(9 * Integer.BYTES) == 1);
    int group = version == 2 ? start.getInt(9 * Integer.BYTES + 1) : 0;
    if (version == 2 && (group < 1 || config.hiddenSize() % group != 0)) {
      throw new IllegalArgumentException(
          "group_size " + group + ", wanted a divisor of dim " + config.hiddenSize());
    }
    return new Header(config, version, group, HEADER_BYTES);
  }

  private static LlamaConfig shape(ByteBuffer from, boolean tied) {
    int dim = from.getInt();
    int hiddenDim = from.getInt();
    int layers = from.getInt();
    int heads = from.getInt();
    int kvHeads = from.getInt();
    int vocab = Math.abs(from.getInt());
    int context = from.getInt();
    if (heads < 1 || dim % heads != 0) {
      throw new IllegalArgumentException("dim " + dim + " does not divide by n_heads " + heads);
    }
    return new LlamaConfig(
        dim,
        hiddenDim,
        layers,
        heads,
        kvHeads,
        dim / heads,
        vocab,
        context,
        ROPE_THETA,
        NORM_EPS,
        tied);
  }

  /**
   * Writes a model as version 0, or quantized as version 2.
   *
   * @throws IllegalArgumentException when the format cannot carry it
   */
  public static void write(
      String path, Configuration hadoop, Checkpoint checkpoint, boolean quantized) {
    LlamaConfig config = checkpoint.config();
    refuse("rope-theta", config.ropeTheta(), ROPE_THETA);
    refuse("rms-norm-eps", config.normEps(), NORM_EPS);
    refuse("head-dim", config.headDim(), (double) config.hiddenSize() / config.headCount());
    if (config.ropeScaling().type() != RopeScaling.Type.NONE) {
      throw new IllegalArgumentException(
          "model.rope-scaling: got "
              + config.ropeScaling()
              + ", but llama2.c's format carries none; export to Hugging Face's instead");
    }
    Header header =
        quantized
            ? new Header(config, 2, group(config), HEADER_BYTES)
            : new Header(config, 0, 0, SHAPE_BYTES);
    Directory.holding(path, hadoop)
        .write(
            new Path(path).getName(),
            out -> {
              out.write(bytes(header));
              new Llama2cTensors(header).write(out, checkpoint.parameters());
            });
  }

  /** 64, halved until it divides the width, as llama2.c's export does. */
  private static int group(LlamaConfig config) {
    int group = GROUP;
    while (config.hiddenSize() % group != 0) {
      group /= 2;
    }
    if (config.intermediateSize() % group != 0) {
      throw new IllegalArgumentException(
          "model.intermediate-size: got %d, but llama2.c's version 2 packs groups of %d; export with export.weights=f32"
              .formatted(config.intermediateSize(), group));
    }
    return group;
  }

  private static byte[] bytes(Header header) {
    LlamaConfig config = header.config;
    ByteBuffer bytes = ByteBuffer.allocate(header.bytes).order(ByteOrder.LITTLE_ENDIAN);
    if (header.version > 0) {
      bytes.putInt(MAGIC).putInt(header.version);
    }
    boolean negative = header.version == 0 && !config.tiedEmbeddings();
    bytes.putInt(config.hiddenSize()).putInt(config.intermediateSize());
    bytes.putInt(config.layerCount()).putInt(config.headCount()).putInt(config.kvHeadCount());
    bytes.putInt(negative ? -config.vocabSize() : config.vocabSize());
    bytes.putInt(config.contextLength());
    if (header.version > 0) {
      bytes.put((byte) (config.tiedEmbeddings() ? 1 : 0)).putInt(header.group);
    }
    return bytes.array();
  }

  private static void refuse(String key, double got, double wanted) {
    if (got != wanted) {
      throw new IllegalArgumentException(
          "model."
              + key
              + ": got "
              + got
              + ", but llama2.c's format can only carry "
              + wanted
              + "; export to Hugging Face's instead");
    }
  }
}
