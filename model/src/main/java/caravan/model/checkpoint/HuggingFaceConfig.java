package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.RopeScaling;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * {@link LlamaConfig} as Hugging Face's {@code config.json}. Read: the key names of transformers 4
 * ({@code rope_theta}, {@code rope_scaling}) and 5 ({@code rope_parameters}), absent keys with the
 * defaults of its LlamaConfig. Written: the names of transformers 4, which 5 reads as well.
 */
final class HuggingFaceConfig {
  private static final ObjectMapper JSON = new ObjectMapper();

  private HuggingFaceConfig() {}

  static byte[] configJson(LlamaConfig config, SpecialTokens special) {
    ObjectNode json = JSON.createObjectNode();
    json.putArray("architectures").add("LlamaForCausalLM");
    json.put("model_type", "llama");
    json.put("hidden_size", config.hiddenSize());
    json.put("intermediate_size", config.intermediateSize());
    json.put("num_hidden_layers", config.layerCount());
    json.put("num_attention_heads", config.headCount());
    json.put("num_key_value_heads", config.kvHeadCount());
    json.put("head_dim", config.headDim());
    json.put("vocab_size", config.vocabSize());
    json.put("max_position_embeddings", HuggingFaceRope.maxPositions(config));
    json.put("rope_theta", config.ropeTheta());
    json.set("rope_scaling", HuggingFaceRope.json(config.ropeScaling()));
    json.put("rms_norm_eps", config.normEps());
    json.put("tie_word_embeddings", config.tiedEmbeddings());
    json.put("hidden_act", "silu");
    json.put("attention_bias", false);
    json.put("attention_dropout", 0.0);
    json.put("mlp_bias", false);
    json.put("torch_dtype", "float32");
    json.put("use_cache", true);
    putSpecial(json, special);
    return bytes(json);
  }

  static byte[] generationConfigJson(SpecialTokens special) {
    ObjectNode json = JSON.createObjectNode();
    json.put("_from_model_config", true);
    putSpecial(json, special);
    return bytes(json);
  }

  private static void putSpecial(ObjectNode json, SpecialTokens special) {
    special
        .bos()
        .ifPresentOrElse(id -> json.put("bos_token_id", id), () -> json.putNull("bos_token_id"));
    switch (special.eos().size()) {
      case 0 -> json.putNull("eos_token_id");
      case 1 -> json.put("eos_token_id", special.eos().get(0));
      default -> special.eos().forEach(json.withArray("/eos_token_id")::add);
    }
  }

  private static byte[] bytes(ObjectNode json) {
    try {
      return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(json);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * @param where the file's path, for messages
   * @throws IllegalArgumentException when it is not a Llama, or one with a part that this model
   *     lacks
   */
  static LlamaConfig config(byte[] file, String where) {
    JsonNode json = parse(file, where);
    refuseForeign(json, where);
    int hidden = integer(json, "hidden_size", where);
    int heads = integer(json, "num_attention_heads", where);
    if (heads < 1 || (!json.hasNonNull("head_dim") && hidden % heads != 0)) {
      throw new IllegalArgumentException(
          where
              + ": num_attention_heads is "
              + heads
              + ", wanted a divisor of hidden_size = "
              + hidden
              + ", or a head_dim");
    }
    int positions =
        json.hasNonNull("max_position_embeddings")
            ? integer(json, "max_position_embeddings", where)
            : 2048;
    try {
      RopeScaling scaling = HuggingFaceRope.scaling(json, positions, where);
      return new LlamaConfig(
          hidden,
          integer(json, "intermediate_size", where),
          integer(json, "num_hidden_layers", where),
          heads,
          json.hasNonNull("num_key_value_heads")
              ? integer(json, "num_key_value_heads", where)
              : heads,
          json.hasNonNull("head_dim") ? integer(json, "head_dim", where) : hidden / heads,
          integer(json, "vocab_size", where),
          scaling.dependsOnLength() ? scaling.longest() : positions,
          HuggingFaceRope.theta(json),
          json.path("rms_norm_eps").asDouble(1e-6),
          json.path("tie_word_embeddings").asBoolean(false),
          scaling);
    } catch (IllegalArgumentException e) {
      throw e.getMessage().startsWith(where)
          ? e
          : new IllegalArgumentException(where + ": " + e.getMessage(), e);
    }
  }

  static SpecialTokens specialTokens(byte[] file, String where) {
    JsonNode json = parse(file, where);
    OptionalInt bos =
        json.hasNonNull("bos_token_id")
            ? OptionalInt.of(json.get("bos_token_id").asInt())
            : OptionalInt.empty();
    JsonNode eos = json.path("eos_token_id");
    List<Integer> stops = new ArrayList<>();
    if (eos.isArray()) {
      eos.forEach(id -> stops.add(id.asInt()));
    } else if (eos.isInt()) {
      stops.add(eos.asInt());
    }
    return new SpecialTokens(bos, stops);
  }

  private static void refuseForeign(JsonNode json, String where) {
    refuse(json, "model_type", "llama", where);
    refuse(json, "hidden_act", "silu", where);
    refuse(json, "attention_bias", "false", where);
    refuse(json, "mlp_bias", "false", where);
    if (json.hasNonNull("quantization_config")) {
      throw new IllegalArgumentException(
          where + ": the weights are quantized (quantization_config), wanted F32, F16 or BF16");
    }
  }

  private static void refuse(JsonNode json, String key, String wanted, String where) {
    if (json.hasNonNull(key) && !json.get(key).asText().equals(wanted)) {
      throw new IllegalArgumentException(
          where + ": " + key + " is " + json.get(key) + ", wanted " + wanted);
    }
  }

  private static int integer(JsonNode json, String key, String where) {
    JsonNode value = json.path(key);
    if (!value.isInt()) {
      throw new IllegalArgumentException(
          where
              + ": "
              + key
              + " is "
              + (value.isMissingNode() ? "missing" : value.toString())
              + ", wanted a whole number");
    }
    return value.asInt();
  }

  private static JsonNode parse(byte[] file, String where) {
    try {
      JsonNode json = JSON.readTree(file);
      if (!json.isObject()) {
        throw new IllegalArgumentException(where + ": wanted a JSON object");
      }
      return json;
    } catch (IOException e) {
      throw new IllegalArgumentException(where + " is not JSON: " + e.getMessage(), e);
    }
  }
}
