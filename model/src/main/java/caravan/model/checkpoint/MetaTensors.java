package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.RopeScaling;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * A state dict with the names of Meta's Llama ({@code layers.0.attention.wq.weight}), which
 * llama2.c shares: queries and keys lie in Meta's rotary order there (see {@link RotaryRows}).
 */
final class MetaTensors {
  static final String EMBEDDING = "tok_embeddings.weight";
  private static final String HEAD = "output.weight";
  private static final Map<String, String> PARTS =
      Map.of(
          "input_layernorm", "attention_norm",
          "self_attn.q_proj", "attention.wq",
          "self_attn.k_proj", "attention.wk",
          "self_attn.v_proj", "attention.wv",
          "self_attn.o_proj", "attention.wo",
          "post_attention_layernorm", "ffn_norm",
          "mlp.gate_proj", "feed_forward.w1",
          "mlp.up_proj", "feed_forward.w3",
          "mlp.down_proj", "feed_forward.w2");

  private final TorchFile file;

  MetaTensors(TorchFile file) {
    this.file = file;
  }

  /**
   * The model's shape: its counts from {@code dim}, {@code n_layers}, {@code n_heads} and {@code
   * n_kv_heads}, the rest from the tensors.
   */
  LlamaConfig config(
      TorchModel.Numbers args, int context, double theta, double eps, RopeScaling scaling) {
    int hidden = args.integer("dim");
    int heads = args.integer("n_heads");
    if (heads < 1 || hidden % heads != 0) {
      throw new IllegalArgumentException(
          "%s: n_heads is %d, wanted a divisor of dim = %d".formatted(args.where(), heads, hidden));
    }
    try {
      return new LlamaConfig(
          hidden,
          rows("layers.0.feed_forward.w1.weight"),
          args.integer("n_layers"),
          heads,
          args.has("n_kv_heads") ? args.integer("n_kv_heads") : heads,
          hidden / heads,
          rows(EMBEDDING),
          context,
          theta,
          eps,
          isTied(),
          scaling);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(file.path() + ": " + e.getMessage(), e);
    }
  }

  private int rows(String name) {
    List<Long> shape = file.shapes().get(name);
    if (shape == null || shape.size() != 2 || shape.get(0) > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "tensor %s %s, wanted a matrix"
              .formatted(name, shape == null ? "is missing" : "has shape " + shape));
    }
    return shape.get(0).intValue();
  }

  /** Tied weights are one storage under two names, or have no second name. */
  private boolean isTied() {
    TorchTensor head = file.tensors().get(HEAD);
    return head == null || head.equals(file.tensors().get(EMBEDDING));
  }

  /**
   * @param weights makes what receives the parameters, in our order
   */
  void read(LlamaConfig config, Function<LlamaConfig, WeightSink> weights) {
    List<HuggingFaceWeights.Slice> slices = HuggingFaceWeights.slices(new ParameterLayout(config));
    requireAll(slices, config);
    WeightSink sink = weights.apply(config);
    HuggingFaceWeights.readEach(
        slices,
        slice -> {
          RotaryRows rows = RotaryRows.of(slice, config);
          file.read(
              name(slice.name()),
              (from, floats, first, count) ->
                  rows.put(floats, first, from, count, sink, slice.offset()),
              0);
        });
  }

  /** Before anything of the model's size is asked of the memory. */
  private void requireAll(List<HuggingFaceWeights.Slice> slices, LlamaConfig config) {
    var unexpected = new TreeSet<>(file.shapes().keySet());
    for (HuggingFaceWeights.Slice slice : slices) {
      String name = name(slice.name());
      List<Long> shape = file.shapes().get(name);
      if (!slice.shape().equals(shape)) {
        throw new IllegalArgumentException(
            "%s: tensor %s %s, wanted shape %s by the model's counts"
                .formatted(
                    file.path(),
                    name,
                    shape == null ? "is missing" : "has shape " + shape,
                    slice.shape()));
      }
      unexpected.remove(name);
    }
    // Tables of angles, which older files carry; and a tied model's second name.
    unexpected.removeAll(List.of("freqs_cos", "freqs_sin", "rope.freqs"));
    if (config.tiedEmbeddings()) {
      unexpected.remove(HEAD);
    }
    if (!unexpected.isEmpty()) {
      throw new IllegalArgumentException(
          "%s: %d unexpected tensors, the first is %s of shape %s; wanted those of %d layers"
              .formatted(
                  file.path(),
                  unexpected.size(),
                  unexpected.first(),
                  file.shapes().get(unexpected.first()),
                  config.layerCount()));
    }
  }

  /** Meta's name of a tensor that Hugging Face names otherwise. */
  private static String name(String huggingFace) {
    return switch (huggingFace) {
      case "model.embed_tokens.weight" -> EMBEDDING;
      case "model.norm.weight" -> "norm.weight";
      case "lm_head.weight" -> HEAD;
      default -> {
        String[] path = huggingFace.split("\\.", 4);
        String part = path[3].substring(0, path[3].length() - ".weight".length());
        yield "layers." + path[2] + "." + PARTS.get(part) + ".weight";
      }
    };
  }
}
