package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.bytedeco.javacpp.FloatPointer;

/**
 * The flat parameter buffer as Hugging Face's named tensors. Each of those is one slice of the
 * buffer (queries, keys and values are row ranges of the fused projection, gate and up of the fused
 * feed-forward matrix), and they are written in buffer order: the data of a {@code
 * model.safetensors} written here is the buffer, byte for byte.
 */
public final class HuggingFaceWeights {

  /**
   * One of Hugging Face's tensors in the flat buffer.
   *
   * @param offset first element, in floats
   * @param shape {@code [out, in]}, or {@code [hidden]} for a norm's gain
   */
  public record Slice(String name, long offset, List<Long> shape) {
    /** Number of elements. */
    public long length() {
      return shape.stream().reduce(1L, (a, b) -> a * b);
    }
  }

  static final String FILE = "model.safetensors";
  static final String TORCH_FILE = "pytorch_model.bin";
  private static final String INDEX = ".index.json";
  private static final String HEAD = "lm_head.weight";
  private static final String EMBEDDING = "model.embed_tokens.weight";

  private HuggingFaceWeights() {}

  /** All tensors, in buffer order. */
  public static List<Slice> slices(ParameterLayout layout) {
    LlamaConfig config = layout.config();
    List<Slice> slices = new ArrayList<>();
    slices.add(matrix(EMBEDDING, layout.embedding(), 0, config.vocabSize()));
    for (int l = 0; l < config.layerCount(); l++) {
      ParameterLayout.Block block = layout.block(l);
      String prefix = "model.layers." + l + ".";
      int q = config.queryDim();
      int kv = config.kvDim();
      int inter = config.intermediateSize();
      slices.add(gain(prefix + "input_layernorm.weight", block.attentionNorm()));
      slices.add(matrix(prefix + "self_attn.q_proj.weight", block.qkv(), 0, q));
      slices.add(matrix(prefix + "self_attn.k_proj.weight", block.qkv(), q, kv));
      slices.add(matrix(prefix + "self_attn.v_proj.weight", block.qkv(), q + kv, kv));
      slices.add(
          matrix(
              prefix + "self_attn.o_proj.weight",
              block.attentionOutput(),
              0,
              block.attentionOutput().rows()));
      slices.add(gain(prefix + "post_attention_layernorm.weight", block.mlpNorm()));
      slices.add(matrix(prefix + "mlp.gate_proj.weight", block.gateUp(), 0, inter));
      slices.add(matrix(prefix + "mlp.up_proj.weight", block.gateUp(), inter, inter));
      slices.add(matrix(prefix + "mlp.down_proj.weight", block.down(), 0, block.down().rows()));
    }
    slices.add(gain("model.norm.weight", layout.finalNorm()));
    if (!config.tiedEmbeddings()) {
      slices.add(matrix(HEAD, layout.head(), 0, config.vocabSize()));
    }
    return slices;
  }

  private static Slice matrix(
      String name, ParameterLayout.Tensor tensor, long firstRow, long rows) {
    long cols = tensor.cols();
    return new Slice(name, tensor.offset() + firstRow * cols, List.of(rows, cols));
  }

  private static Slice gain(String name, ParameterLayout.Tensor tensor) {
    return new Slice(name, tensor.offset(), List.of(tensor.length()));
  }

  static void write(OutputStream out, LlamaConfig config, FloatSource parameters)
      throws IOException {
    List<SafeTensors.Source> sources =
        slices(new ParameterLayout(config)).stream()
            .map(s -> new SafeTensors.Source(s.name(), s.shape(), parameters, s.offset()))
            .toList();
    // transformers 4 refuses a file that does not say which framework's layout it has.
    SafeTensors.write(out, Map.of("format", "pt"), sources);
  }

  /**
   * Reads {@code model.safetensors} or the files that its index names, else {@code
   * pytorch_model.bin} or its index's. A local file of floats in buffer order, as those written
   * here are, is mapped: what is written to the result then stays in memory.
   */
  static FloatPointer read(Directory directory, LlamaConfig config) {
    List<String> names = fileNames(directory);
    ParameterLayout layout = new ParameterLayout(config);
    Optional<FloatPointer> mapped = mapped(directory, names, layout);
    if (mapped.isPresent()) {
      return mapped.get();
    }
    FloatPointer parameters = new AlignedFloats(layout.length());
    try {
      read(directory, names, config, shape -> WeightSink.into(parameters));
      return parameters;
    } catch (RuntimeException e) {
      parameters.close();
      throw e;
    }
  }

  /**
   * Reads the same files without keeping anything of them in memory.
   *
   * @param weights makes what receives them, when all tensors are known to be there
   */
  static void read(
      Directory directory, LlamaConfig config, Function<LlamaConfig, WeightSink> weights) {
    read(directory, fileNames(directory), config, weights);
  }

  private static Optional<FloatPointer> mapped(
      Directory directory, List<String> names, ParameterLayout layout) {
    if (names.size() > 1
        || !names.get(0).endsWith(".safetensors")
        || !directory.isLocal()
        || !MappedFloats.isPossible()) {
      return Optional.empty();
    }
    try (SafeTensors file = SafeTensors.open(directory, names.get(0))) {
      Map<String, SafeTensors.Entry> entries = file.entries();
      check(List.of(file), layout);
      long begin = entries.get(EMBEDDING).begin();
      for (Slice slice : slices(layout)) {
        SafeTensors.Entry entry = entries.get(slice.name());
        if (entry.type() != SafeTensors.DataType.F32
            || entry.begin() != begin + slice.offset() * Float.BYTES) {
          return Optional.empty();
        }
      }
      boolean twin = layout.config().tiedEmbeddings() && entries.containsKey(HEAD);
      if (twin || begin % Float.BYTES != 0) {
        return Optional.empty();
      }
      FloatPointer mapped =
          MappedFloats.of(directory.localPath(names.get(0)), begin, layout.length());
      try {
        FiniteWeights.require(file.path(), slices(layout), mapped, layout.length());
        return Optional.of(mapped);
      } catch (RuntimeException e) {
        mapped.close();
        throw e;
      }
    }
  }

  /** Reads the files named. */
  static void read(
      Directory directory,
      List<String> names,
      LlamaConfig config,
      Function<LlamaConfig, WeightSink> weights) {
    List<TensorFile> files = new ArrayList<>();
    try {
      for (String name : names) {
        files.add(
            name.endsWith(".safetensors")
                ? SafeTensors.open(directory, name)
                : TorchFile.openStateDict(directory, name));
      }
      read(files, config, weights);
    } finally {
      files.forEach(TensorFile::close);
    }
  }

  private static void read(
      List<TensorFile> files, LlamaConfig config, Function<LlamaConfig, WeightSink> weights) {
    ParameterLayout layout = new ParameterLayout(config);
    Map<String, TensorFile> owners = check(files, layout);
    if (layout.config().tiedEmbeddings() && owners.containsKey(HEAD)) {
      requireTwin(owners.get(EMBEDDING), owners.get(HEAD));
    }
    WeightSink sink = weights.apply(config);
    readEach(
        slices(layout), slice -> owners.get(slice.name()).read(slice.name(), sink, slice.offset()));
  }

  /** Puts the parameters of a model that lies in memory. */
  static void copy(Checkpoint model, WeightSink weights) {
    readEach(
        slices(new ParameterLayout(model.config())),
        slice ->
            WeightSink.copy(
                slice.shape(),
                model.parameters().getPointer(slice.offset()),
                weights,
                slice.offset()));
  }

  /** Reads tensors on all cores. What is wrong with the first of them is thrown. */
  static void readEach(List<Slice> slices, Consumer<Slice> reading) {
    List<RuntimeException> wrong =
        slices.parallelStream()
            .flatMap(
                slice -> {
                  try {
                    reading.accept(slice);
                    return Stream.empty();
                  } catch (RuntimeException e) {
                    return Stream.of(e);
                  }
                })
            .toList();
    if (!wrong.isEmpty()) {
      throw wrong.get(0);
    }
  }

  /** Which file has which tensor; all of the layout's are there, in their shapes. */
  private static Map<String, TensorFile> check(List<TensorFile> files, ParameterLayout layout) {
    Map<String, TensorFile> owners = new LinkedHashMap<>();
    for (TensorFile file : files) {
      file.shapes().keySet().forEach(name -> owners.put(name, file));
    }
    String where = files.get(0).path();
    List<Slice> slices = slices(layout);
    refuseUnexpected(where, slices, owners, layout);
    for (Slice slice : slices) {
      TensorFile file = owners.get(slice.name());
      if (file == null) {
        throw new IllegalArgumentException(
            where
                + ": tensor "
                + slice.name()
                + " is missing, wanted shape "
                + slice.shape()
                + "; the file is another architecture's, or config.json promises more layers"
                + " than it holds");
      }
      List<Long> shape = file.shapes().get(slice.name());
      if (!shape.equals(slice.shape())) {
        throw new IllegalArgumentException(
            file.path()
                + ": tensor "
                + slice.name()
                + " has shape "
                + shape
                + ", wanted "
                + slice.shape()
                + " by config.json");
      }
    }
    return owners;
  }

  /** A tied model's file may repeat the embedding as its head, but not contradict it. */
  private static void requireTwin(TensorFile embeddingFile, TensorFile file) {
    List<Long> shape = embeddingFile.shapes().get(EMBEDDING);
    boolean equal = file.shapes().get(HEAD).equals(shape);
    if (equal) {
      long length = shape.get(0) * shape.get(1);
      try (FloatPointer embedding = new FloatPointer(length);
          FloatPointer head = new FloatPointer(length)) {
        embeddingFile.read(EMBEDDING, WeightSink.into(embedding), 0);
        file.read(HEAD, WeightSink.into(head), 0);
        equal = Floats.equal(head, 0, embedding, 0, length);
      }
    }
    if (!equal) {
      throw new IllegalArgumentException(
          file.path()
              + ": "
              + HEAD
              + " differs from "
              + EMBEDDING
              + ", but config.json has tie_word_embeddings true; set it to false to keep both");
    }
  }

  /**
   * Old files carry each layer's rotary frequencies, and files of tied models sometimes the head
   * again: neither is a parameter of ours.
   */
  private static void refuseUnexpected(
      String where, List<Slice> slices, Map<String, TensorFile> owners, ParameterLayout layout) {
    var unexpected = new TreeSet<>(owners.keySet());
    slices.forEach(slice -> unexpected.remove(slice.name()));
    unexpected.removeIf(name -> name.endsWith("rotary_emb.inv_freq"));
    if (layout.config().tiedEmbeddings()) {
      unexpected.remove(HEAD);
    }
    if (!unexpected.isEmpty()) {
      String first = unexpected.first();
      throw new IllegalArgumentException(
          where
              + ": "
              + unexpected.size()
              + " unexpected tensors, the first is "
              + first
              + " of shape "
              + owners.get(first).shapes().get(first)
              + "; wanted only the Llama tensors of config.json ("
              + layout.config().layerCount()
              + " layers, tie_word_embeddings "
              + layout.config().tiedEmbeddings()
              + ")");
    }
  }

  private static List<String> fileNames(Directory directory) {
    for (String file : List.of(FILE, TORCH_FILE)) {
      if (directory.exists(file)) {
        return List.of(file);
      }
      if (directory.exists(file + INDEX)) {
        return indexed(directory, file + INDEX);
      }
    }
    throw new IllegalArgumentException(
        directory.path()
            + ": no model.safetensors and no pytorch_model.bin in it, nor an index.json of several"
            + " such files; wanted a Hugging Face model directory");
  }

  private static List<String> indexed(Directory directory, String index) {
    try {
      JsonNode json = new ObjectMapper().readTree(directory.bytes(index));
      var names = new TreeSet<String>();
      json.path("weight_map").forEach(file -> names.add(file.asText()));
      if (names.isEmpty()) {
        throw new IllegalArgumentException(directory.path(index) + ": weight_map names no file");
      }
      for (String name : names) {
        if (!directory.exists(name)) {
          throw new IllegalArgumentException(
              "%s: names %d files, of which %s is not there; copy or download it, too"
                  .formatted(directory.path(index), names.size(), name));
        }
      }
      return List.copyOf(names);
    } catch (IOException e) {
      throw new IllegalArgumentException(
          directory.path(index) + " is not JSON: " + e.getMessage(), e);
    }
  }
}
