package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.RopeScaling;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeSet;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * Llama models as GGUF files (llama.cpp): quantized tensors become floats. Queries and keys lie in
 * Meta's rotary order there, ours in Hugging Face's: their rows change places on the way.
 */
public final class Gguf {
  static final String ROPE_FACTORS = "rope_freqs.weight";

  /** Llama 3.1 and 3.2 scale with these; a file holds only the factors that come of them. */
  private static final int LLAMA3_CONTEXT = 8192;

  private Gguf() {}

  /**
   * A model and the metadata that tells its vocabulary.
   *
   * @param metadata the file's keys: strings, booleans, Long, Double and lists of these
   */
  public record Model(Checkpoint checkpoint, Map<String, Object> metadata) {}

  /** The same without the weights. */
  public record Head(CheckpointHead head, Map<String, Object> metadata) {}

  /**
   * Reads a model.
   *
   * @param path a local path or any Hadoop URI
   * @throws IllegalArgumentException when it is not a whole GGUF file of a Llama
   */
  public static Model read(String path, Configuration hadoop) {
    try (WholeVector whole = new WholeVector()) {
      Head head = read(path, hadoop, whole);
      return new Model(whole.model(head.head()), head.metadata());
    }
  }

  /**
   * Reads a model without keeping its weights.
   *
   * @param weights makes what receives them
   */
  public static Head read(
      String path, Configuration hadoop, Function<LlamaConfig, WeightSink> weights) {
    try (GgufFile file = GgufFile.open(Directory.holding(path, hadoop), new Path(path).getName())) {
      LlamaConfig config = config(file);
      read(file, config, weights);
      return new Head(
          CheckpointHead.ofModel(config, specialTokens(file), Map.of()),
          Map.copyOf(file.metadata()));
    }
  }

  private static LlamaConfig config(GgufFile file) {
    Object architecture = file.metadata().get("general.architecture");
    if (!"llama".equals(architecture)) {
      throw new IllegalArgumentException(
          file.path() + ": general.architecture is " + architecture + ", wanted llama");
    }
    GgufFile.Tensor embedding = file.tensors().get("token_embd.weight");
    if (embedding == null || embedding.shape().size() != 2) {
      throw new IllegalArgumentException(
          file.path() + ": no matrix token_embd.weight in it, wanted a whole Llama");
    }
    int hidden = integer(file, "embedding_length");
    int heads = integer(file, "attention.head_count");
    int headDim =
        file.metadata().containsKey("llama.attention.key_length")
            ? integer(file, "attention.key_length")
            : hidden / Math.max(1, heads);
    requireEqual(file, "rope.dimension_count", headDim);
    requireEqual(file, "attention.value_length", headDim);
    int context = integer(file, "context_length");
    try {
      return new LlamaConfig(
          hidden,
          integer(file, "feed_forward_length"),
          integer(file, "block_count"),
          heads,
          file.metadata().containsKey("llama.attention.head_count_kv")
              ? integer(file, "attention.head_count_kv")
              : heads,
          headDim,
          Math.toIntExact(embedding.shape().get(0)),
          context,
          number(file, "rope.freq_base", 10000),
          number(file, "attention.layer_norm_rms_epsilon", 1e-5),
          !file.tensors().containsKey("output.weight"),
          scaling(file, headDim));
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new IllegalArgumentException(file.path() + ": " + e.getMessage(), e);
    }
  }

  private static RopeScaling scaling(GgufFile file, int headDim) {
    Object type = file.metadata().getOrDefault("llama.rope.scaling.type", "none");
    if (type.equals("linear")) {
      return RopeScaling.linear(number(file, "rope.scaling.factor", 1));
    }
    if (!type.equals("none")) {
      throw new IllegalArgumentException(
          "llama.rope.scaling.type is " + type + ", wanted none or linear");
    }
    GgufFile.Tensor factors = file.tensors().get(ROPE_FACTORS);
    return factors == null ? RopeScaling.NONE : llama3(file, factors, headDim);
  }

  /** The rule whose factors a file holds, if that is Llama 3.1's. */
  private static RopeScaling llama3(GgufFile file, GgufFile.Tensor tensor, int headDim) {
    float[] factors = new float[headDim / 2];
    if (!tensor.shape().equals(List.of((long) factors.length))) {
      throw new IllegalArgumentException(
          "tensor " + ROPE_FACTORS + " has shape " + tensor.shape() + ", wanted " + headDim / 2);
    }
    file.read(
        tensor,
        (from, floats, first, count) ->
            System.arraycopy(floats, first, factors, (int) from, count));
    double theta = number(file, "rope.freq_base", 10000);
    RopeScaling scaling = RopeScaling.llama3(factor(factors, theta), 1, 4, LLAMA3_CONTEXT);
    float[] expected = scaling.factors(theta, headDim);
    for (int i = 0; i < factors.length; i++) {
      if (Math.abs(factors[i] - expected[i]) > 1e-3 * expected[i]) {
        throw new IllegalArgumentException(
            "tensor "
                + ROPE_FACTORS
                + " holds "
                + factors[i]
                + " for frequency "
                + i
                + ", wanted Llama 3.1's rule (low 1, high 4, context 8192), which gives "
                + expected[i]);
      }
    }
    return scaling;
  }

  /** The rule's factor, solved from what the lowest frequency is divided by. */
  private static double factor(float[] factors, double theta) {
    int last = factors.length - 1;
    double frequency = Math.pow(theta, -(double) last / factors.length);
    double turns = LLAMA3_CONTEXT * frequency / (2 * Math.PI);
    double kept = Math.max(0, Math.min(1, (turns - 1) / 3));
    double factor = (1 - kept) / (1 / factors[last] - kept);
    return kept == 1 ? 1 : Math.max(1, Math.rint(factor * 1000) / 1000);
  }

  private static void read(
      GgufFile file, LlamaConfig config, Function<LlamaConfig, WeightSink> weights) {
    List<HuggingFaceWeights.Slice> slices = HuggingFaceWeights.slices(new ParameterLayout(config));
    requireAll(file, slices);
    WeightSink sink = weights.apply(config);
    HuggingFaceWeights.readEach(
        slices,
        slice -> {
          RotaryRows rows = RotaryRows.of(slice, config);
          file.read(
              file.tensors().get(name(slice.name())),
              (from, floats, first, count) ->
                  rows.put(floats, first, from, count, sink, slice.offset()));
        });
  }

  private static void requireAll(GgufFile file, List<HuggingFaceWeights.Slice> slices) {
    var unexpected = new TreeSet<>(file.tensors().keySet());
    unexpected.remove(ROPE_FACTORS);
    for (HuggingFaceWeights.Slice slice : slices) {
      String name = name(slice.name());
      GgufFile.Tensor tensor = file.tensors().get(name);
      if (tensor == null || !tensor.shape().equals(slice.shape())) {
        throw new IllegalArgumentException(
            file.path()
                + ": tensor "
                + name
                + (tensor == null ? " is missing" : " has shape " + tensor.shape())
                + ", wanted shape "
                + slice.shape()
                + " by the file's metadata");
      }
      unexpected.remove(name);
    }
    if (!unexpected.isEmpty()) {
      throw new IllegalArgumentException(
          file.path()
              + ": "
              + unexpected.size()
              + " unexpected tensors, the first is "
              + unexpected.first()
              + "; wanted those of a Llama without biases or experts");
    }
  }

  /** Hugging Face's name of a tensor as llama.cpp calls it. */
  static String name(String huggingFace) {
    Map<String, String> parts = new HashMap<>();
    parts.put("model.embed_tokens.weight", "token_embd.weight");
    parts.put("model.norm.weight", "output_norm.weight");
    parts.put("lm_head.weight", "output.weight");
    parts.put("input_layernorm", "attn_norm");
    parts.put("self_attn.q_proj", "attn_q");
    parts.put("self_attn.k_proj", "attn_k");
    parts.put("self_attn.v_proj", "attn_v");
    parts.put("self_attn.o_proj", "attn_output");
    parts.put("post_attention_layernorm", "ffn_norm");
    parts.put("mlp.gate_proj", "ffn_gate");
    parts.put("mlp.up_proj", "ffn_up");
    parts.put("mlp.down_proj", "ffn_down");
    if (!huggingFace.startsWith("model.layers.")) {
      return parts.get(huggingFace);
    }
    String[] path = huggingFace.split("\\.", 4);
    String part = path[3].substring(0, path[3].length() - ".weight".length());
    return "blk." + path[2] + "." + parts.get(part) + ".weight";
  }

  private static SpecialTokens specialTokens(GgufFile file) {
    Object bos = file.metadata().get("tokenizer.ggml.bos_token_id");
    Object eos = file.metadata().get("tokenizer.ggml.eos_token_id");
    return new SpecialTokens(
        bos instanceof Long id ? OptionalInt.of(id.intValue()) : OptionalInt.empty(),
        eos instanceof Long id ? List.of(id.intValue()) : List.of());
  }

  private static void requireEqual(GgufFile file, String key, int wanted) {
    if (file.metadata().containsKey("llama." + key) && integer(file, key) != wanted) {
      throw new IllegalArgumentException(
          "%s: llama.%s is %d, wanted the head size %d"
              .formatted(file.path(), key, integer(file, key), wanted));
    }
  }

  private static int integer(GgufFile file, String key) {
    if (file.metadata().get("llama." + key) instanceof Long value
        && value >= 0
        && value <= Integer.MAX_VALUE) {
      return value.intValue();
    }
    throw new IllegalArgumentException(
        "%s: llama.%s is %s, wanted a whole number"
            .formatted(file.path(), key, file.metadata().get("llama." + key)));
  }

  /** A float's decimal digits, not those of the double nearest to it: 1e-5 is no 9.99999975e-6. */
  private static double number(GgufFile file, String key, double otherwise) {
    Object value = file.metadata().getOrDefault("llama." + key, otherwise);
    return value instanceof Double number && number == (float) (double) number
        ? Double.parseDouble(Float.toString((float) (double) number))
        : ((Number) value).doubleValue();
  }
}
