package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.apache.hadoop.fs.FSDataInputStream;
import org.bytedeco.javacpp.FloatPointer;

/**
 * The part of a llama2.c file behind its header: each kind of tensor for all layers together, in
 * version 0 with the gains among the matrices and two tables of cosines and sines that nothing
 * reads, in versions 1 and 2 the gains first.
 */
final class Llama2cTensors {
  private static final int CHUNK_FLOATS = 1 << 18;
  private static final float LARGEST = 127;

  /**
   * A stretch of the file; without a tensor it is the tables.
   *
   * @param first row of the tensor that it starts with
   * @param headDim rows of a head in rotary order; 0 where rows keep their places
   */
  private record Piece(Tensor tensor, int first, int rows, int headDim) {
    private static final Piece TABLES = new Piece(null, 0, 0, 0);

    long offset() {
      return tensor.offset() + (long) first * tensor.cols();
    }

    int length() {
      return Math.toIntExact((long) rows * tensor.cols());
    }

    RotaryRows order() {
      return new RotaryRows(tensor.cols(), headDim);
    }

    List<Long> shape() {
      return tensor.isNorm()
          ? List.of((long) tensor.cols())
          : List.of((long) rows, (long) tensor.cols());
    }
  }

  private final Llama2c.Header header;
  private final LlamaConfig config;
  private final ParameterLayout layout;

  Llama2cTensors(Llama2c.Header header) {
    this.header = header;
    this.config = header.config();
    this.layout = new ParameterLayout(config);
  }

  /** All of the file, in its order. */
  private List<Piece> pieces() {
    List<Piece> pieces = new ArrayList<>();
    boolean gainsFirst = header.version() > 0;
    if (gainsFirst) {
      pieces.addAll(eachLayer(b -> gain(b.attentionNorm())));
      pieces.addAll(eachLayer(b -> gain(b.mlpNorm())));
      pieces.add(gain(layout.finalNorm()));
    }
    pieces.add(rows(layout.embedding(), 0, config.vocabSize()));
    if (!gainsFirst) {
      pieces.addAll(eachLayer(b -> gain(b.attentionNorm())));
    }
    int q = config.queryDim();
    int kv = config.kvDim();
    int inter = config.intermediateSize();
    pieces.addAll(eachLayer(b -> new Piece(b.qkv(), 0, q, config.headDim())));
    pieces.addAll(eachLayer(b -> new Piece(b.qkv(), q, kv, config.headDim())));
    pieces.addAll(eachLayer(b -> rows(b.qkv(), q + kv, kv)));
    pieces.addAll(eachLayer(b -> rows(b.attentionOutput(), 0, config.hiddenSize())));
    if (!gainsFirst) {
      pieces.addAll(eachLayer(b -> gain(b.mlpNorm())));
    }
    pieces.addAll(eachLayer(b -> rows(b.gateUp(), 0, inter)));
    pieces.addAll(eachLayer(b -> rows(b.down(), 0, config.hiddenSize())));
    pieces.addAll(eachLayer(b -> rows(b.gateUp(), inter, inter)));
    if (!gainsFirst) {
      pieces.add(gain(layout.finalNorm()));
      pieces.add(Piece.TABLES);
    }
    if (!config.tiedEmbeddings()) {
      pieces.add(rows(layout.head(), 0, config.vocabSize()));
    }
    return pieces;
  }

  private List<Piece> eachLayer(Function<ParameterLayout.Block, Piece> piece) {
    List<Piece> pieces = new ArrayList<>();
    for (int layer = 0; layer < config.layerCount(); layer++) {
      pieces.add(piece.apply(layout.block(layer)));
    }
    return pieces;
  }

  private static Piece gain(Tensor tensor) {
    return rows(tensor, 0, 1);
  }

  private static Piece rows(Tensor tensor, int first, int rows) {
    return new Piece(tensor, first, rows, 0);
  }

  private boolean isQuantized(Piece piece) {
    return header.version() == 2 && !piece.tensor.isNorm();
  }

  void read(String path, FSDataInputStream in, WeightSink parameters) throws IOException {
    Map<Long, String> names = new HashMap<>();
    HuggingFaceWeights.slices(layout).forEach(s -> names.put(s.offset(), s.name()));
    for (Piece piece : pieces()) {
      if (piece == Piece.TABLES) {
        in.seek(in.getPos() + (long) Float.BYTES * config.contextLength() * config.headDim());
      } else {
        // Rows are checked in the file's order, to tell where in it a wrong one is.
        String where = path + ": tensor " + names.get(piece.offset());
        WeightSink rows =
            FiniteWeights.guard(
                where,
                piece.shape(),
                0,
                (from, floats, first, count) ->
                    piece.order().put(floats, first, from, count, parameters, piece.offset()));
        if (isQuantized(piece)) {
          readQuantized(in, rows, piece);
        } else {
          readFloats(in, rows, piece);
        }
      }
    }
  }

  private static void readFloats(FSDataInputStream in, WeightSink rows, Piece piece)
      throws IOException {
    int cols = piece.tensor.cols();
    int chunk = Math.max(1, CHUNK_FLOATS / cols) * cols;
    for (int from = 0; from < piece.length(); from += chunk) {
      int count = Math.min(chunk, piece.length() - from);
      rows.put(from, floats(in, count), 0, count);
    }
  }

  /** All elements as int8, then a scale for each group of them. */
  private void readQuantized(FSDataInputStream in, WeightSink rows, Piece piece)
      throws IOException {
    byte[] elements = new byte[piece.length()];
    in.readFully(elements);
    float[] scales = floats(in, elements.length / header.group());
    float[] row = new float[piece.tensor.cols()];
    for (int from = 0; from < elements.length; from += row.length) {
      for (int i = 0; i < row.length; i++) {
        row[i] = elements[from + i] * scales[(from + i) / header.group()];
      }
      rows.put(from, row, 0, row.length);
    }
  }

  private static float[] floats(FSDataInputStream in, int count) throws IOException {
    byte[] bytes = new byte[count * Float.BYTES];
    in.readFully(bytes);
    float[] floats = new float[count];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats);
    return floats;
  }

  void write(OutputStream out, FloatPointer parameters) throws IOException {
    for (Piece piece : pieces()) {
      if (piece == Piece.TABLES) {
        writeTables(out);
      } else {
        write(out, parameters, piece);
      }
    }
  }

  private void write(OutputStream out, FloatPointer parameters, Piece piece) throws IOException {
    float[] row = new float[piece.tensor.cols()];
    int groups = isQuantized(piece) ? piece.length() / header.group() : 0;
    float[] scales = new float[groups];
    for (int r = 0; r < piece.rows; r++) {
      piece.order().get(parameters, piece.offset(), r, row);
      if (groups == 0) {
        out.write(bytes(row));
      } else {
        long before = (long) r * row.length;
        out.write(quantized(row, scales, (int) (before / header.group())));
      }
    }
    out.write(bytes(scales));
  }

  /** The nearest of 255 steps up to the largest of each group, as llama2.c's export rounds. */
  private byte[] quantized(float[] row, float[] scales, int firstGroup) {
    byte[] elements = new byte[row.length];
    for (int from = 0; from < row.length; from += header.group()) {
      float largest = 0;
      for (int i = from; i < from + header.group(); i++) {
        largest = Math.max(largest, Math.abs(row[i]));
      }
      float scale = largest / LARGEST;
      scales[firstGroup + from / header.group()] = scale;
      for (int i = from; i < from + header.group(); i++) {
        elements[i] = scale == 0 ? 0 : (byte) Math.rint(row[i] / scale);
      }
    }
    return elements;
  }

  private static byte[] bytes(float[] floats) {
    ByteBuffer bytes =
        ByteBuffer.allocate(floats.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(floats);
    return bytes.array();
  }

  private void writeTables(OutputStream out) throws IOException {
    int half = config.headDim() / 2;
    double[] frequencies = config.rotaryFrequencies(config.contextLength());
    float[] tables = new float[2 * config.contextLength() * half];
    for (int t = 0; t < config.contextLength(); t++) {
      for (int i = 0; i < half; i++) {
        tables[t * half + i] = (float) Math.cos(t * frequencies[i]);
        tables[(config.contextLength() + t) * half + i] = (float) Math.sin(t * frequencies[i]);
      }
    }
    out.write(bytes(tables));
  }
}
