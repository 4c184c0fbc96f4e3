package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.RopeScaling;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;
import org.bytedeco.javacpp.FloatPointer;

/**
 * llama2.c's version 0 model files: seven little-endian int32 (dim, hidden_dim, n_layers, n_heads,
 * n_kv_heads, vocab_size, max_seq_len; a negative vocab_size means that the head is not the
 * embedding), then floats, each kind of tensor for all layers together.
 *
 * <p>Queries and keys lie in Meta's rotary order there (components 2i and 2i + 1 of a head are a
 * pair), ours in Hugging Face's (i and i + headDim/2): their rows are permuted on the way.
 */
public final class Llama2c {
  private static final int HEADER_BYTES = 7 * Integer.BYTES;

  /** The format does not carry these two: llama2.c has them as constants. */
  private static final double ROPE_THETA = 10000;

  private static final double NORM_EPS = 1e-5;

  /** BOS and EOS of llama2.c's tokenizers. */
  public static final SpecialTokens SPECIAL_TOKENS = SpecialTokens.of(1, 2);

  private Llama2c() {}

  /**
   * Reads a model.
   *
   * @throws IllegalArgumentException when the file is not version 0 or its size does not fit its
   *     header
   */
  public static Checkpoint read(String path, Configuration hadoop) {
    Directory directory = Directory.holding(path, hadoop);
    String file = new Path(path).getName();
    long size = directory.size(file);
    try (FSDataInputStream in = directory.open(file)) {
      LlamaConfig config = config(path, in, size);
      ParameterLayout layout = new ParameterLayout(config);
      FloatPointer parameters = new FloatPointer(layout.length());
      try {
        eachPiece(layout, new FileReader(in, parameters));
      } catch (IOException | RuntimeException e) {
        parameters.close();
        throw e;
      }
      return Checkpoint.ofModel(config, SPECIAL_TOKENS, parameters, Map.of());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + path + ": " + e.getMessage(), e);
    }
  }

  private static LlamaConfig config(String path, FSDataInputStream in, long size)
      throws IOException {
    if (size < HEADER_BYTES) {
      throw new IllegalArgumentException(
          path + ": " + size + " bytes, too short for a llama2.c model");
    }
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    in.readFully(header.array());
    int dim = header.getInt();
    if (dim == 0x616b3432) {
      throw new IllegalArgumentException(
          path + ": version " + header.getInt() + " of llama2.c's format, wanted version 0");
    }
    int hiddenDim = header.getInt();
    int layers = header.getInt();
    int heads = header.getInt();
    int kvHeads = header.getInt();
    int vocab = header.getInt();
    int context = header.getInt();
    LlamaConfig config;
    try {
      if (heads < 1 || dim % heads != 0) {
        throw new IllegalArgumentException("dim " + dim + " does not divide by n_heads " + heads);
      }
      config =
          new LlamaConfig(
              dim,
              hiddenDim,
              layers,
              heads,
              kvHeads,
              dim / heads,
              Math.abs(vocab),
              context,
              ROPE_THETA,
              NORM_EPS,
              vocab > 0);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          path + ": not a llama2.c version 0 model: " + e.getMessage(), e);
    }
    long wanted = HEADER_BYTES + Float.BYTES * (floats(config));
    if (size != wanted) {
      throw new IllegalArgumentException(
          path
              + ": "
              + size
              + " bytes, its header "
              + config
              + " wants "
              + wanted
              + ": truncated, or not a llama2.c version 0 model");
    }
    return config;
  }

  private static long floats(LlamaConfig config) {
    return new ParameterLayout(config).length() + (long) config.contextLength() * config.headDim();
  }

  /**
   * Writes a model.
   *
   * @throws IllegalArgumentException when the format cannot carry it
   */
  public static void write(String path, Configuration hadoop, Checkpoint checkpoint) {
    LlamaConfig config = checkpoint.config();
    refuse("rope-theta", config.ropeTheta(), ROPE_THETA);
    refuse("rms-norm-eps", config.normEps(), NORM_EPS);
    if (config.ropeScaling().type() != RopeScaling.Type.NONE) {
      throw new IllegalArgumentException(
          "model.rope-scaling: got "
              + config.ropeScaling()
              + ", but llama2.c's format carries none; export to Hugging Face's instead");
    }
    refuse("head-dim", config.headDim(), (double) config.hiddenSize() / config.headCount());
    Directory.holding(path, hadoop)
        .write(
            new Path(path).getName(),
            out -> {
              ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
              header.putInt(config.hiddenSize()).putInt(config.intermediateSize());
              header.putInt(config.layerCount()).putInt(config.headCount());
              header.putInt(config.kvHeadCount());
              header.putInt(config.tiedEmbeddings() ? config.vocabSize() : -config.vocabSize());
              header.putInt(config.contextLength());
              out.write(header.array());
              eachPiece(
                  new ParameterLayout(config),
                  new FileWriter(out, checkpoint.parameters(), config));
            });
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

  /** What is done with each stretch of the file, in the file's order. */
  private interface Pieces {
    /** {@code rows × cols} floats of the tensor from its row {@code first} on. */
    void rows(Tensor tensor, int first, int rows) throws IOException;

    /** As {@link #rows}, with each head's rows in the other rotary order. */
    void rotaryRows(Tensor tensor, int first, int heads, int headDim) throws IOException;

    /** Cosines and sines that llama2.c once read and now skips. */
    void rotaryTables(LlamaConfig config) throws IOException;
  }

  private static void eachPiece(ParameterLayout layout, Pieces pieces) throws IOException {
    LlamaConfig c = layout.config();
    int layers = c.layerCount();
    int inter = c.intermediateSize();
    pieces.rows(layout.embedding(), 0, c.vocabSize());
    for (int l = 0; l < layers; l++) {
      pieces.rows(layout.block(l).attentionNorm(), 0, 1);
    }
    for (int l = 0; l < layers; l++) {
      pieces.rotaryRows(layout.block(l).qkv(), 0, c.headCount(), c.headDim());
    }
    for (int l = 0; l < layers; l++) {
      pieces.rotaryRows(layout.block(l).qkv(), c.queryDim(), c.kvHeadCount(), c.headDim());
    }
    for (int l = 0; l < layers; l++) {
      pieces.rows(layout.block(l).qkv(), c.queryDim() + c.kvDim(), c.kvDim());
    }
    for (int l = 0; l < layers; l++) {
      pieces.rows(layout.block(l).attentionOutput(), 0, c.hiddenSize());
    }
    for (int l = 0; l < layers; l++) {
      pieces.rows(layout.block(l).mlpNorm(), 0, 1);
    }
    for (int l = 0; l < layers; l++) {
      pieces.rows(layout.block(l).gateUp(), 0, inter);
    }
    for (int l = 0; l < layers; l++) {
      pieces.rows(layout.block(l).down(), 0, c.hiddenSize());
    }
    for (int l = 0; l < layers; l++) {
      pieces.rows(layout.block(l).gateUp(), inter, inter);
    }
    pieces.rows(layout.finalNorm(), 0, 1);
    pieces.rotaryTables(c);
    if (!c.tiedEmbeddings()) {
      pieces.rows(layout.head(), 0, c.vocabSize());
    }
  }

  /** Row of a head in Hugging Face's order that Meta's order has at {@code row}. */
  private static int rotaryRow(int row, int headDim) {
    return row / 2 + row % 2 * (headDim / 2);
  }

  private record FileReader(FSDataInputStream in, FloatPointer parameters) implements Pieces {
    @Override
    public void rows(Tensor tensor, int first, int rows) throws IOException {
      for (int r = first; r < first + rows; r++) {
        row(tensor, r);
      }
    }

    @Override
    public void rotaryRows(Tensor tensor, int first, int heads, int headDim) throws IOException {
      for (int head = 0; head < heads; head++) {
        for (int r = 0; r < headDim; r++) {
          row(tensor, first + head * headDim + rotaryRow(r, headDim));
        }
      }
    }

    @Override
    public void rotaryTables(LlamaConfig config) throws IOException {
      in.seek(in.getPos() + (long) Float.BYTES * config.contextLength() * config.headDim());
    }

    private void row(Tensor tensor, int row) throws IOException {
      byte[] bytes = new byte[tensor.cols() * Float.BYTES];
      in.readFully(bytes);
      float[] floats = new float[tensor.cols()];
      ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats);
      Floats.put(parameters, tensor.offset() + (long) row * tensor.cols(), floats, floats.length);
    }
  }

  private record FileWriter(OutputStream out, FloatPointer parameters, LlamaConfig config)
      implements Pieces {
    @Override
    public void rows(Tensor tensor, int first, int rows) throws IOException {
      long cols = tensor.cols();
      Floats.write(out, parameters, tensor.offset() + first * cols, rows * cols);
    }

    @Override
    public void rotaryRows(Tensor tensor, int first, int heads, int headDim) throws IOException {
      for (int head = 0; head < heads; head++) {
        for (int r = 0; r < headDim; r++) {
          rows(tensor, first + head * headDim + rotaryRow(r, headDim), 1);
        }
      }
    }

    @Override
    public void rotaryTables(LlamaConfig c) throws IOException {
      int half = c.headDim() / 2;
      float[] tables = new float[2 * c.contextLength() * half];
      for (int t = 0; t < c.contextLength(); t++) {
        for (int i = 0; i < half; i++) {
          double angle = t * Math.pow(ROPE_THETA, -2.0 * i / c.headDim());
          tables[t * half + i] = (float) Math.cos(angle);
          tables[(c.contextLength() + t) * half + i] = (float) Math.sin(angle);
        }
      }
      try (FloatPointer floats = new FloatPointer(tables)) {
        Floats.write(out, floats, 0, tables.length);
      }
    }
  }
}
