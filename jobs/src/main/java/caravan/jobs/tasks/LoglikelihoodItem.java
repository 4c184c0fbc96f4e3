package caravan.jobs.tasks;

import caravan.pipeline.tokenize.Tokenizer;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.TreeSet;

/**
 * One request of another harness: how probable is the continuation after the context.
 *
 * @param context may be empty
 * @param continuation not empty
 */
public record LoglikelihoodItem(String context, String continuation) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * A request in token ids.
   *
   * @param context at least one id
   * @param continuation at least one id; these are scored
   */
  public record Ids(int[] context, int[] continuation) {}

  /**
   * Reads one line of JSONL: {@code {"context": …, "continuation": …}}.
   *
   * @param location file and line, for messages
   * @throws IllegalArgumentException when it is anything else: an answer is due for every line
   */
  public static LoglikelihoodItem parse(String line, String location) {
    JsonNode json;
    try {
      json = JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw refused(location, "not JSON (" + e.getOriginalMessage() + ")");
    }
    if (!json.path("context").isTextual() || !json.path("continuation").isTextual()) {
      throw refused(location, "got " + keys(json));
    }
    if (json.get("continuation").textValue().isEmpty()) {
      throw refused(location, "the continuation is empty");
    }
    return new LoglikelihoodItem(
        json.get("context").textValue(), json.get("continuation").textValue());
  }

  /**
   * Encodes as lm-evaluation-harness does: spaces at the context's end move to the continuation,
   * both are encoded together, and the ids after the context's own count are the continuation. So a
   * piece may run over the border.
   *
   * @param addBos whether BOS stands before the context; an empty context is BOS in either case
   * @throws IllegalArgumentException when the context is empty and the tokenizer has no BOS, or no
   *     id is left to the continuation
   */
  public Ids encode(Tokenizer tokenizer, boolean addBos) {
    String head = context.stripTrailing();
    String tail = context.substring(head.length()) + continuation;
    int[] whole = tokenizer.encode(head + tail);
    int border = tokenizer.encode(head).length;
    if (border >= whole.length) {
      throw new IllegalArgumentException(
          "loglikelihood: no token is left for the continuation \"%s\" after its context"
              .formatted(continuation));
    }
    boolean opens = addBos || head.isEmpty();
    if (opens && tokenizer.bosId() < 0) {
      throw new IllegalArgumentException(
          "loglikelihood: %s needs a BOS, which the tokenizer does not have"
              .formatted(addBos ? "add-bos=true" : "an empty context"));
    }
    int[] before = Arrays.copyOf(whole, border);
    return new Ids(
        opens ? prepended(tokenizer.bosId(), before) : before,
        Arrays.copyOfRange(whole, border, whole.length));
  }

  private static int[] prepended(int id, int[] ids) {
    int[] all = new int[ids.length + 1];
    all[0] = id;
    System.arraycopy(ids, 0, all, 1, ids.length);
    return all;
  }

  private static List<String> keys(JsonNode json) {
    TreeSet<String> keys = new TreeSet<>();
    for (Iterator<String> names = json.fieldNames(); names.hasNext(); ) {
      keys.add(names.next());
    }
    return List.copyOf(keys);
  }

  private static IllegalArgumentException refused(String location, String got) {
    return new IllegalArgumentException(
        "%s: %s, wanted {\"context\": text, \"continuation\": text}".formatted(location, got));
  }
}
