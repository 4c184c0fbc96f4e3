package caravan.pipeline.tokenize;

import caravan.pipeline.Json;
import caravan.pipeline.tokenize.ByteLevelVocabulary.Added;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads Hugging Face's {@code tokenizer.json}, as far as it is byte-level BPE. Whatever in it would
 * change ids and is not known here is refused by name.
 */
public final class TokenizerJson {
  public static final String FILE = "tokenizer.json";
  private static final String CONFIG_FILE = "tokenizer_config.json";

  /** Remembers no names: a vocabulary's tokens are names, and each is met once. */
  private static final ObjectMapper MAPPER =
      new ObjectMapper(
          JsonFactory.builder().disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES).build());

  private final String location;

  private TokenizerJson(String location) {
    this.location = location;
  }

  /**
   * @param file tokenizer.json
   * @param config tokenizer_config.json, which names BOS and EOS; without it there are none
   * @param location where the file comes from, for error messages
   * @throws IllegalArgumentException if it is no byte-level BPE, or one with unknown parts
   */
  public static ByteLevelTokenizer read(byte[] file, Optional<byte[]> config, String location) {
    return new TokenizerJson(location).read(file, config);
  }

  private ByteLevelTokenizer read(byte[] file, Optional<byte[]> config) {
    JsonNode json = parse(file, location);
    JsonNode model = json.path("model");
    requireText(model, "type", "BPE", "model.type");
    requireNothing(model, "dropout", "continuing_subword_prefix", "end_of_word_suffix");
    requireFalse(model, "byte_fallback");
    List<Added> added = added(json.path("added_tokens"));
    List<String> tokens = tokens(model.path("vocab"));
    requireByteLevel(json.path("decoder"), "decoder");
    boolean nfc = normalizesNfc(json.path("normalizer"));
    PreTokenizer words = preTokenizer(json.path("pre_tokenizer"));
    Map<String, Integer> specials = new HashMap<>();
    for (Added token : added) specials.put(token.text(), token.id());
    Optional<JsonNode> names = config.map(bytes -> parse(bytes, location + "'s " + CONFIG_FILE));
    try {
      ByteLevelVocabulary vocabulary =
          new ByteLevelVocabulary(
              tokens,
              merges(model.path("merges")),
              words,
              model.path("ignore_merges").asBoolean(false),
              added,
              nfc,
              special(names, "bos_token", specials),
              special(names, "eos_token", specials),
              unknown(model, tokens, specials));
      Map<String, byte[]> files = new HashMap<>(Map.of(FILE, file));
      config.ifPresent(bytes -> files.put(CONFIG_FILE, bytes));
      return new ByteLevelTokenizer(
          vocabulary, files, HexFormat.of().formatHex(Json.sha256().digest(file)));
    } catch (IllegalArgumentException e) {
      throw e.getMessage().startsWith(location)
          ? e
          : new IllegalArgumentException(location + ": " + e.getMessage(), e);
    }
  }

  private JsonNode parse(byte[] bytes, String where) {
    try {
      JsonNode json = MAPPER.readTree(bytes);
      if (json != null && json.isObject()) return json;
      throw refused("it is no JSON object");
    } catch (IOException e) {
      throw new IllegalArgumentException(where + " is not JSON: " + e.getMessage(), e);
    }
  }

  private List<String> tokens(JsonNode vocab) {
    if (!vocab.isObject() || vocab.isEmpty()) throw refused("model.vocab holds no tokens");
    int largest = 0;
    for (JsonNode id : vocab) largest = Math.max(largest, id.asInt(-1));
    if (largest > 10 * vocab.size() + 1_000_000) {
      throw refused("model.vocab's largest id is " + largest + " for " + vocab.size() + " tokens");
    }
    List<String> tokens = new ArrayList<>(Collections.nCopies(largest + 1, null));
    vocab
        .properties()
        .forEach(
            entry -> {
              int id = entry.getValue().asInt(-1);
              if (id < 0) {
                throw refused(
                    "model.vocab: '" + entry.getKey() + "' has the id " + entry.getValue());
              }
              if (tokens.get(id) != null) {
                throw refused(
                    "model.vocab: '"
                        + entry.getKey()
                        + "' and '"
                        + tokens.get(id)
                        + "' share the id "
                        + id);
              }
              tokens.set(id, entry.getKey());
            });
    return tokens;
  }

  /** Written as {@code "a b"}, or by newer versions as {@code ["a", "b"]}. */
  private List<String> merges(JsonNode merges) {
    List<String> all = new ArrayList<>();
    for (JsonNode merge : merges) {
      if (merge.isArray() && merge.size() == 2) {
        all.add(merge.get(0).asText() + " " + merge.get(1).asText());
      } else if (merge.isTextual()) {
        all.add(merge.asText());
      } else {
        throw refused("model.merges: got " + merge + ", wanted two parts");
      }
    }
    return all;
  }

  private List<Added> added(JsonNode list) {
    List<Added> added = new ArrayList<>();
    for (JsonNode token : list) {
      String text = token.path("content").asText();
      for (String flag : List.of("single_word", "lstrip", "rstrip")) {
        if (token.path(flag).asBoolean(false)) {
          throw refused("the added token '" + text + "' has " + flag + ", wanted a plain one");
        }
      }
      added.add(new Added(token.path("id").asInt(), text, token.path("special").asBoolean(false)));
    }
    return added;
  }

  private boolean normalizesNfc(JsonNode normalizer) {
    if (normalizer.isMissingNode() || normalizer.isNull()) return false;
    String type = normalizer.path("type").asText();
    if (type.equals("NFC")) return true;
    if (type.equals("Sequence")) {
      boolean nfc = false;
      for (JsonNode part : normalizer.path("normalizers")) nfc |= normalizesNfc(part);
      return nfc;
    }
    throw refused("its normalizer is " + type + ", wanted none or NFC");
  }

  private PreTokenizer preTokenizer(JsonNode json) {
    List<JsonNode> parts = new ArrayList<>();
    if (json.path("type").asText().equals("Sequence"))
      json.path("pretokenizers").forEach(parts::add);
    else parts.add(json);
    JsonNode last = parts.get(parts.size() - 1);
    requireByteLevel(last, "pre_tokenizer");
    requireFalse(last, "add_prefix_space");
    boolean byGpt2 = last.path("use_regex").asBoolean(true);
    if (parts.size() == 1 && byGpt2) return PreTokenizer.GPT2;
    if (parts.size() == 2 && byGpt2 && isDigits(parts.get(0))) return PreTokenizer.SMOLLM;
    if (parts.size() == 2 && !byGpt2 && isSplit(parts.get(0))) {
      String pattern = parts.get(0).at("/pattern/Regex").asText();
      return PreTokenizer.ofPattern(pattern)
          .orElseThrow(() -> unknownPreTokenizer("the pattern " + pattern));
    }
    throw unknownPreTokenizer(json.toString());
  }

  private static boolean isDigits(JsonNode json) {
    return json.path("type").asText().equals("Digits")
        && json.path("individual_digits").asBoolean(false);
  }

  private static boolean isSplit(JsonNode json) {
    return json.path("type").asText().equals("Split")
        && json.path("behavior").asText().equals("Isolated")
        && !json.path("invert").asBoolean(false);
  }

  private IllegalArgumentException unknownPreTokenizer(String got) {
    return refused(
        "its pre_tokenizer is "
            + got
            + ", known are those of "
            + Arrays.toString(PreTokenizer.values()));
  }

  private int special(Optional<JsonNode> config, String key, Map<String, Integer> specials) {
    JsonNode named = config.map(json -> json.path(key)).orElse(null);
    if (named == null || named.isMissingNode() || named.isNull()) return -1;
    String text = named.isObject() ? named.path("content").asText() : named.asText();
    Integer id = specials.get(text);
    if (id == null) {
      throw refused(CONFIG_FILE + "'s " + key + " is '" + text + "', which is no added token");
    }
    return id;
  }

  private int unknown(JsonNode model, List<String> tokens, Map<String, Integer> specials) {
    JsonNode text = model.path("unk_token");
    if (!text.isTextual()) return -1;
    if (model.path("fuse_unk").asBoolean(false)) throw refused("model.fuse_unk is true");
    int id = tokens.indexOf(text.asText());
    return id >= 0 ? id : specials.getOrDefault(text.asText(), -1);
  }

  private void requireText(JsonNode json, String key, String wanted, String name) {
    String got = json.path(key).asText();
    if (!got.equals(wanted)) throw refused(name + " is '" + got + "', wanted " + wanted);
  }

  private void requireByteLevel(JsonNode json, String name) {
    requireText(json, "type", "ByteLevel", name + ".type");
  }

  private void requireNothing(JsonNode json, String... keys) {
    for (String key : keys) {
      JsonNode value = json.path(key);
      boolean nothing = value.isMissingNode() || value.isNull() || value.asText().isEmpty();
      if (!nothing) throw refused("model." + key + " is " + value + ", wanted none");
    }
  }

  private void requireFalse(JsonNode json, String key) {
    if (json.path(key).asBoolean(false)) throw refused(key + " is true, wanted false");
  }

  private IllegalArgumentException refused(String reason) {
    return new IllegalArgumentException(
        location
            + ": this tokenizer is not usable here: "
            + reason
            + "; give a byte-level BPE tokenizer.json such as Llama-3's, or a SentencePiece"
            + " tokenizer.model");
  }
}
