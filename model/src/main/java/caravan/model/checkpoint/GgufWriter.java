package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.RopeScaling.Type;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.bytedeco.javacpp.FloatPointer;

/** Writes a Llama as a GGUF file of version 3; see {@link Gguf}. */
public final class GgufWriter {

  /** How matrices are written; gains of norms are always F32. */
  public enum Weights {
    F32(GgufType.F32, 0),
    F16(GgufType.F16, 1),
    Q8_0(GgufType.Q8_0, 7);

    private final GgufType type;
    private final int fileType;

    Weights(GgufType type, int fileType) {
      this.type = type;
      this.fileType = fileType;
    }
  }

  /** A tensor to be written, with the floats it comes from. */
  private record Tensor(
      String name,
      GgufType type,
      List<Long> shape,
      FloatPointer data,
      long offset,
      RotaryRows rows) {
    long cols() {
      return shape.get(shape.size() - 1);
    }

    long rowCount() {
      return shape.size() == 1 ? 1 : shape.get(0);
    }

    long bytes() {
      return type.bytes(rowCount() * cols());
    }
  }

  private GgufWriter() {}

  /**
   * Writes a model.
   *
   * @param vocabulary the {@code tokenizer.ggml.*} keys: String, Boolean, Integer, Float, int[],
   *     float[] or a list of strings
   * @throws IllegalArgumentException when the format cannot carry the model
   */
  public static void write(
      String path,
      Configuration hadoop,
      Checkpoint model,
      Weights weights,
      Map<String, Object> vocabulary) {
    LlamaConfig config = model.config();
    if (config.ropeScaling().type() == Type.DYNAMIC) {
      throw new IllegalArgumentException(
          "model.rope-scaling: got dynamic, but GGUF carries none, linear and llama3 only; export to Hugging Face's format instead");
    }
    String file = new Path(path).getName();
    Map<String, Object> metadata = metadata(config, weights, file.replace(".gguf", ""));
    metadata.putAll(vocabulary);
    Directory.holding(path, hadoop)
        .write(file, out -> write(out, metadata, tensors(model, weights.type)));
  }

  private static Map<String, Object> metadata(LlamaConfig config, Weights weights, String name) {
    Map<String, Object> keys = new LinkedHashMap<>();
    keys.put("general.architecture", "llama");
    keys.put("general.name", name);
    keys.put("general.file_type", weights.fileType);
    keys.put("llama.context_length", config.contextLength());
    keys.put("llama.embedding_length", config.hiddenSize());
    keys.put("llama.block_count", config.layerCount());
    keys.put("llama.feed_forward_length", config.intermediateSize());
    keys.put("llama.vocab_size", config.vocabSize());
    keys.put("llama.attention.head_count", config.headCount());
    keys.put("llama.attention.head_count_kv", config.kvHeadCount());
    keys.put("llama.attention.key_length", config.headDim());
    keys.put("llama.attention.value_length", config.headDim());
    keys.put("llama.attention.layer_norm_rms_epsilon", (float) config.normEps());
    keys.put("llama.rope.dimension_count", config.headDim());
    keys.put("llama.rope.freq_base", (float) config.ropeTheta());
    if (config.ropeScaling().type() == Type.LINEAR) {
      keys.put("llama.rope.scaling.type", "linear");
      keys.put("llama.rope.scaling.factor", (float) config.ropeScaling().factor());
    }
    return keys;
  }

  private static List<Tensor> tensors(Checkpoint model, GgufType type) {
    LlamaConfig config = model.config();
    List<Tensor> tensors = new ArrayList<>();
    if (config.ropeScaling().type() == Type.LLAMA3) {
      float[] factors = config.ropeScaling().factors(config.ropeTheta(), config.headDim());
      List<Long> shape = List.of((long) factors.length);
      tensors.add(
          new Tensor(
              Gguf.ROPE_FACTORS,
              GgufType.F32,
              shape,
              new FloatPointer(factors),
              0,
              new RotaryRows(factors.length, 0)));
    }
    for (HuggingFaceWeights.Slice slice : HuggingFaceWeights.slices(new ParameterLayout(config))) {
      boolean matrix = slice.shape().size() == 2;
      Tensor tensor =
          new Tensor(
              Gguf.name(slice.name()),
              matrix ? type : GgufType.F32,
              slice.shape(),
              model.parameters(),
              slice.offset(),
              RotaryRows.of(slice, config));
      if (tensor.cols() % tensor.type.blockElements != 0) {
        throw new IllegalArgumentException(
            "tensor %s has rows of %d, but %s packs blocks of %d; export with export.weights=f16"
                .formatted(tensor.name, tensor.cols(), type, type.blockElements));
      }
      tensors.add(tensor);
    }
    return tensors;
  }

  private static void write(OutputStream out, Map<String, Object> metadata, List<Tensor> tensors)
      throws IOException {
    Header header = new Header();
    header.integer(GgufFile.MAGIC);
    header.integer(3);
    header.number(tensors.size());
    header.number(metadata.size());
    metadata.forEach(header::entry);
    long offset = 0;
    for (Tensor tensor : tensors) {
      header.string(tensor.name);
      header.integer(tensor.shape.size());
      for (int d = tensor.shape.size() - 1; d >= 0; d--) {
        header.number(tensor.shape.get(d));
      }
      header.integer(tensor.type.id);
      header.number(offset);
      offset += padded(tensor.bytes());
    }
    out.write(header.bytes.toByteArray());
    pad(out, header.bytes.size());
    for (Tensor tensor : tensors) {
      float[] row = new float[(int) tensor.cols()];
      ByteBuffer packed =
          ByteBuffer.allocate((int) tensor.type.bytes(row.length)).order(ByteOrder.LITTLE_ENDIAN);
      for (long r = 0; r < tensor.rowCount(); r++) {
        tensor.rows.get(tensor.data, tensor.offset, r, row);
        packed.clear();
        for (int at = 0; at < row.length; at += tensor.type.blockElements) {
          tensor.type.write(row, at, packed);
        }
        out.write(packed.array());
      }
      pad(out, tensor.bytes());
    }
  }

  private static long padded(long bytes) {
    long alignment = GgufFile.DEFAULT_ALIGNMENT;
    return (bytes + alignment - 1) / alignment * alignment;
  }

  private static void pad(OutputStream out, long written) throws IOException {
    out.write(new byte[(int) (padded(written) - written)]);
  }

  /** The part before the tensors' bytes. */
  private static final class Header {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    void integer(int value) {
      put(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value));
    }

    void number(long value) {
      put(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value));
    }

    void string(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      number(utf8.length);
      put(ByteBuffer.wrap(utf8));
    }

    private void put(ByteBuffer buffer) {
      try {
        bytes.write(buffer.array());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    void entry(String key, Object value) {
      string(key);
      if (value instanceof Integer number) {
        integer(4);
        integer(number);
      } else if (value instanceof Float number) {
        integer(6);
        integer(Float.floatToRawIntBits(number));
      } else if (value instanceof Boolean truth) {
        integer(7);
        put(ByteBuffer.wrap(new byte[] {(byte) (truth ? 1 : 0)}));
      } else if (value instanceof String text) {
        integer(8);
        string(text);
      } else {
        integer(9);
        array(key, value);
      }
    }

    private void array(String key, Object value) {
      if (value instanceof float[] numbers) {
        integer(6);
        number(numbers.length);
        for (float number : numbers) {
          integer(Float.floatToRawIntBits(number));
        }
      } else if (value instanceof int[] numbers) {
        integer(5);
        number(numbers.length);
        for (int number : numbers) {
          integer(number);
        }
      } else if (value instanceof List<?> texts) {
        integer(8);
        number(texts.size());
        texts.forEach(text -> string((String) text));
      } else {
        throw new IllegalArgumentException("GGUF: " + key + " has a value of " + value.getClass());
      }
    }
  }
}
