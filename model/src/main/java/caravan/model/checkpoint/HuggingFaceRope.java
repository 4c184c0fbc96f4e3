package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.RopeScaling;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * {@link RopeScaling} in Hugging Face's {@code config.json}: {@code rope_scaling} of transformers 4
 * (with {@code rope_type}, in old files {@code type}) and {@code rope_parameters} of 5, which 5
 * makes of the former.
 *
 * <p>With dynamic scaling {@code max_position_embeddings} is the context of the first training
 * there, and sequences may be longer.
 */
final class HuggingFaceRope {
  private HuggingFaceRope() {}

  static double theta(JsonNode config) {
    double top = config.path("rope_theta").asDouble(10000);
    return config.path("rope_parameters").path("rope_theta").asDouble(top);
  }

  static int maxPositions(LlamaConfig config) {
    return config.ropeScaling().dependsOnLength()
        ? config.ropeScaling().originalMaxPositionEmbeddings()
        : config.contextLength();
  }

  static JsonNode json(RopeScaling scaling) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    switch (scaling.type()) {
      case NONE -> {
        return JsonNodeFactory.instance.nullNode();
      }
      case LINEAR -> json.put("rope_type", "linear").put("factor", scaling.factor());
      case DYNAMIC -> json.put("rope_type", "dynamic").put("factor", scaling.factor());
      case LLAMA3 ->
          json.put("rope_type", "llama3")
              .put("factor", scaling.factor())
              .put("low_freq_factor", scaling.lowFreqFactor())
              .put("high_freq_factor", scaling.highFreqFactor())
              .put("original_max_position_embeddings", scaling.originalMaxPositionEmbeddings());
    }
    return json;
  }

  /**
   * @param positions the file's max_position_embeddings
   * @throws IllegalArgumentException when the file asks for a rule that is not offered, or lacks
   *     one of its numbers
   */
  static RopeScaling scaling(JsonNode config, int positions, String where) {
    String key = config.path("rope_parameters").isObject() ? "rope_parameters" : "rope_scaling";
    JsonNode rope = config.path(key);
    if (!rope.isObject()) {
      return RopeScaling.NONE;
    }
    String type = rope.path("rope_type").asText(rope.path("type").asText("default"));
    if (rope.path("partial_rotary_factor").asDouble(1) != 1) {
      throw new IllegalArgumentException(
          where + ": " + key + " is " + rope + ", wanted a partial_rotary_factor of 1");
    }
    String in = where + ": " + key;
    return switch (type) {
      case "default" -> {
        if (rope.has("factor")) {
          throw new IllegalArgumentException(
              in + " is " + rope + ": a factor without rope_type linear, dynamic or llama3");
        }
        yield RopeScaling.NONE;
      }
      case "linear" -> RopeScaling.linear(number(rope, "factor", in));
      case "dynamic" -> RopeScaling.dynamic(number(rope, "factor", in), positions);
      case "llama3" ->
          RopeScaling.llama3(
              number(rope, "factor", in),
              number(rope, "low_freq_factor", in),
              number(rope, "high_freq_factor", in),
              (int) number(rope, "original_max_position_embeddings", in));
      default ->
          throw new IllegalArgumentException(
              in + " is " + rope + ", wanted rope_type default, linear, dynamic or llama3");
    };
  }

  private static double number(JsonNode rope, String key, String in) {
    if (!rope.path(key).isNumber()) {
      throw new IllegalArgumentException(in + " is " + rope + ": wanted a number as " + key);
    }
    return rope.path(key).asDouble();
  }
}
