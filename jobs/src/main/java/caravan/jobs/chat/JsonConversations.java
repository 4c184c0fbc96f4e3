package caravan.jobs.chat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * JSON records in the layouts that people have, told apart by their keys: {@code conversations}
 * (ShareGPT: {@code from}, {@code value}), {@code messages} (OpenAI: {@code role}, {@code
 * content}), {@code instruction} (Alpaca: {@code instruction}, {@code input}, {@code output}),
 * {@code text} (turns as {@link TurnText}).
 */
final class JsonConversations {
  private JsonConversations() {}

  /**
   * @param fallbackId used when the record has no {@code id}
   */
  static Conversation read(JsonNode json, String fallbackId) throws UnreadableRecordException {
    if (!json.isObject()) {
      throw new UnreadableRecordException(
          "not_an_object", "got " + kind(json) + ", wanted a JSON object");
    }
    JsonNode id = json.path("id");
    return new Conversation(
        id.isTextual() || id.isNumber() ? id.asText() : fallbackId, messages(json));
  }

  private static List<Message> messages(JsonNode json) throws UnreadableRecordException {
    if (json.has("conversations")) {
      return turns(json, "conversations", "from", "value");
    }
    if (json.has("messages")) {
      return turns(json, "messages", "role", "content");
    }
    if (json.has("instruction")) {
      return alpaca(json);
    }
    if (json.has("text")) {
      return TurnText.parse(text(json, "text"));
    }
    List<String> keys = new ArrayList<>();
    json.fieldNames().forEachRemaining(keys::add);
    throw new UnreadableRecordException(
        "unknown_layout",
        "got the keys " + keys + ", wanted conversations, messages, instruction or text");
  }

  private static List<Message> turns(JsonNode json, String list, String roleKey, String textKey)
      throws UnreadableRecordException {
    if (!json.get(list).isArray()) {
      throw new UnreadableRecordException(
          "wrong_type", list + ": got " + kind(json.get(list)) + ", wanted an array");
    }
    List<Message> messages = new ArrayList<>();
    for (JsonNode turn : json.get(list)) {
      messages.add(new Message(role(text(turn, roleKey)), text(turn, textKey)));
    }
    return messages;
  }

  /** The input, where there is one, follows the instruction on its own line. */
  private static List<Message> alpaca(JsonNode json) throws UnreadableRecordException {
    String instruction = text(json, "instruction");
    String input = json.path("input").isMissingNode() ? "" : text(json, "input");
    return List.of(
        new Message(Role.USER, input.isBlank() ? instruction : instruction + "\n" + input),
        new Message(Role.ASSISTANT, text(json, "output")));
  }

  private static Role role(String name) throws UnreadableRecordException {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "system" -> Role.SYSTEM;
      case "human", "user" -> Role.USER;
      case "gpt", "assistant" -> Role.ASSISTANT;
      default ->
          throw new UnreadableRecordException(
              "unknown_role",
              "got `" + Excerpts.of(name) + "`, wanted system, human or user, gpt or assistant");
    };
  }

  private static String text(JsonNode json, String key) throws UnreadableRecordException {
    JsonNode value = json.path(key);
    if (value.isMissingNode() || value.isNull()) {
      throw new UnreadableRecordException("missing_field", key);
    }
    if (!value.isTextual()) {
      throw new UnreadableRecordException(
          "wrong_type", key + ": got " + kind(value) + ", wanted a string");
    }
    return value.textValue();
  }

  private static String kind(JsonNode json) {
    return json.getNodeType().name().toLowerCase(Locale.ROOT);
  }
}
