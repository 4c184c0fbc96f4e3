package caravan.jobs;

import caravan.pipeline.Json;
import caravan.pipeline.tokenize.SentencePieceModel;
import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.NormalizerSpec;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import caravan.pipeline.tokenize.SentencePieceModel.Specials;
import caravan.pipeline.tokenize.SentencePieceModel.TrainerSpec;
import caravan.pipeline.tokenize.SentencePieceTokenizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The {@code tokenizer.ggml.*} keys of a GGUF file as tokenizer files, and back: SentencePiece BPE
 * (called {@code llama} there) as {@code tokenizer.model}, byte-level BPE ({@code gpt2}) as Hugging
 * Face's {@code tokenizer.json}.
 */
final class GgufVocabulary {
  private static final String PREFIX = "tokenizer.ggml.";
  private static final String LLAMA3_WORDS =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private final Map<String, Object> metadata;
  private final String where;

  /**
   * @param metadata a GGUF file's
   * @param where the file's path, for messages
   */
  GgufVocabulary(Map<String, Object> metadata, String where) {
    this.metadata = metadata;
    this.where = where;
  }

  /**
   * Tokenizer files by name; none where the file brings no vocabulary.
   *
   * @throws IllegalArgumentException when the vocabulary is of a kind that is not read
   */
  Map<String, byte[]> files() {
    Object model = metadata.get(PREFIX + "model");
    if (model == null) {
      return Map.of();
    }
    return switch (model.toString()) {
      case "llama" -> sentencePieceFiles();
      case "gpt2" -> byteLevelBpe();
      default ->
          throw new IllegalArgumentException(
              "%s: %smodel is %s, wanted llama (SentencePiece BPE) or gpt2 (byte-level BPE)"
                  .formatted(where, PREFIX, model));
    };
  }

  private Map<String, byte[]> sentencePieceFiles() {
    SentencePieceModel model = sentencePiece();
    Map<String, byte[]> files =
        new HashMap<>(Tokenizers.files(SentencePieceTokenizer.of(model.toBytes(), where)));
    addsBos()
        .ifPresent(
            adds -> {
              Map<String, Object> config = new LinkedHashMap<>(model.transformersConfig());
              config.put("add_bos_token", adds);
              files.put("tokenizer_config.json", Json.bytes(config));
            });
    return files;
  }

  /** What the file says of BOS before a text, if it does. */
  private Optional<Boolean> addsBos() {
    return metadata.get(PREFIX + "add_bos_token") instanceof Boolean adds
        ? Optional.of(adds)
        : Optional.empty();
  }

  private SentencePieceModel sentencePiece() {
    List<?> tokens = list("tokens");
    List<?> scores = list("scores");
    List<?> types = list("token_type");
    if (scores.size() != tokens.size() || types.size() != tokens.size()) {
      throw new IllegalArgumentException(
          "%s: %,d tokens, but %,d scores and %,d token types"
              .formatted(where, tokens.size(), scores.size(), types.size()));
    }
    List<Piece> pieces = new ArrayList<>();
    boolean bytes = false;
    for (int id = 0; id < tokens.size(); id++) {
      PieceType type = PieceType.of((Long) types.get(id));
      bytes |= type == PieceType.BYTE;
      pieces.add(new Piece((String) tokens.get(id), ((Double) scores.get(id)).floatValue(), type));
    }
    int unknown = (int) number("unknown_token_id", 0);
    int bos = (int) number("bos_token_id", 1);
    int eos = (int) number("eos_token_id", 2);
    Specials specials =
        new Specials(
            unknown,
            bos,
            eos,
            -1,
            text(pieces, unknown),
            text(pieces, bos),
            text(pieces, eos),
            Specials.DEFAULT.padPiece(),
            Specials.DEFAULT.unkSurface());
    TrainerSpec trainer =
        new TrainerSpec(
            ModelType.BPE,
            pieces.size(),
            0.99995f,
            16,
            true,
            true,
            true,
            true,
            false,
            false,
            bytes,
            List.of(),
            List.of(),
            specials);
    boolean prefix = !Boolean.FALSE.equals(metadata.get(PREFIX + "add_space_prefix"));
    return new SentencePieceModel(
        pieces, trainer, new NormalizerSpec("identity", false, prefix, false, true));
  }

  private String text(List<Piece> pieces, int id) {
    if (id < 0 || id >= pieces.size()) {
      throw new IllegalArgumentException(
          "%s: special token %d of a vocabulary of %,d".formatted(where, id, pieces.size()));
    }
    return pieces.get(id).text();
  }

  /** Bytes are letters there as they are here, and merges pairs with a space between. */
  private Map<String, byte[]> byteLevelBpe() {
    List<?> tokens = list("tokens");
    List<?> types = list("token_type");
    Map<String, Object> vocabulary = new LinkedHashMap<>();
    List<Map<String, Object>> added = new ArrayList<>();
    for (int id = 0; id < tokens.size(); id++) {
      vocabulary.put((String) tokens.get(id), id);
      PieceType type = id < types.size() ? PieceType.of((Long) types.get(id)) : PieceType.NORMAL;
      if (type == PieceType.CONTROL || type == PieceType.USER_DEFINED) {
        added.add(added((String) tokens.get(id), id, type == PieceType.CONTROL));
      }
    }
    Map<String, Object> model = new LinkedHashMap<>();
    model.put("type", "BPE");
    model.put("dropout", null);
    model.put("unk_token", null);
    model.put("fuse_unk", false);
    model.put("byte_fallback", false);
    model.put("ignore_merges", "llama-bpe".equals(metadata.get(PREFIX + "pre")));
    model.put("vocab", vocabulary);
    model.put("merges", list("merges"));
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("version", "1.0");
    json.put("truncation", null);
    json.put("padding", null);
    json.put("added_tokens", added);
    json.put("normalizer", null);
    json.put("pre_tokenizer", preTokenizer());
    json.put("post_processor", null);
    json.put("decoder", byteLevel(true));
    json.put("model", model);
    return Map.of("tokenizer.json", Json.bytes(json), "tokenizer_config.json", config(tokens));
  }

  private static Map<String, Object> added(String token, int id, boolean special) {
    Map<String, Object> added = new LinkedHashMap<>();
    added.put("id", id);
    added.put("content", token);
    added.put("single_word", false);
    added.put("lstrip", false);
    added.put("rstrip", false);
    added.put("normalized", false);
    added.put("special", special);
    return added;
  }

  private byte[] config(List<?> tokens) {
    Map<String, Object> config = new LinkedHashMap<>();
    addsBos().ifPresent(adds -> config.put("add_bos_token", adds));
    config.put("tokenizer_class", "PreTrainedTokenizerFast");
    config.put("clean_up_tokenization_spaces", false);
    for (String role : List.of("bos", "eos", "unknown")) {
      if (metadata.get(PREFIX + role + "_token_id") instanceof Long id && id < tokens.size()) {
        config.put((role.equals("unknown") ? "unk" : role) + "_token", tokens.get(id.intValue()));
      }
    }
    return Json.bytes(config);
  }

  private Map<String, Object> preTokenizer() {
    String pre = metadata.getOrDefault(PREFIX + "pre", "default").toString();
    return switch (pre) {
      case "gpt-2" -> byteLevel(true);
      case "smollm" ->
          sequence(Map.of("type", "Digits", "individual_digits", true), byteLevel(true));
      case "llama-bpe", "llama3" -> {
        Map<String, Object> split = new LinkedHashMap<>();
        split.put("type", "Split");
        split.put("pattern", Map.of("Regex", LLAMA3_WORDS));
        split.put("behavior", "Isolated");
        split.put("invert", false);
        yield sequence(split, byteLevel(false));
      }
      default ->
          throw new IllegalArgumentException(
              "%s: %spre is %s, wanted gpt-2, smollm or llama-bpe: how texts are split before merging is not known for others; give the tokenizer as tokenizer=FILE"
                  .formatted(where, PREFIX, pre));
    };
  }

  private static Map<String, Object> sequence(Map<String, Object> first, Map<String, Object> then) {
    Map<String, Object> sequence = new LinkedHashMap<>();
    sequence.put("type", "Sequence");
    sequence.put("pretokenizers", List.of(first, then));
    return sequence;
  }

  private static Map<String, Object> byteLevel(boolean words) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("type", "ByteLevel");
    json.put("add_prefix_space", false);
    json.put("trim_offsets", true);
    json.put("use_regex", words);
    return json;
  }

  private List<?> list(String key) {
    if (metadata.get(PREFIX + key) instanceof List<?> list) {
      return list;
    }
    throw new IllegalArgumentException(
        "%s: no list %s%s in it, wanted a vocabulary with one".formatted(where, PREFIX, key));
  }

  private long number(String key, long otherwise) {
    return metadata.get(PREFIX + key) instanceof Long number ? number : otherwise;
  }

  /**
   * The keys that tell a SentencePiece vocabulary.
   *
   * @param vocabSize the model's: ids without a piece become unused ones
   */
  static Map<String, Object> keys(SentencePieceModel model, int vocabSize, boolean addsBos) {
    List<Piece> pieces = new ArrayList<>(model.pieces());
    while (pieces.size() < vocabSize) {
      pieces.add(new Piece("<unused%d>".formatted(pieces.size()), 0, PieceType.UNUSED));
    }
    float[] scores = new float[pieces.size()];
    int[] types = new int[pieces.size()];
    for (int id = 0; id < scores.length; id++) {
      scores[id] = pieces.get(id).score();
      types[id] = pieces.get(id).type().number();
    }
    Specials specials = model.trainer().specials();
    Map<String, Object> keys = new LinkedHashMap<>();
    keys.put(PREFIX + "model", "llama");
    keys.put(PREFIX + "pre", "default");
    keys.put(PREFIX + "tokens", pieces.stream().map(Piece::text).toList());
    keys.put(PREFIX + "scores", scores);
    keys.put(PREFIX + "token_type", types);
    keys.put(PREFIX + "bos_token_id", specials.bosId());
    keys.put(PREFIX + "eos_token_id", specials.eosId());
    keys.put(PREFIX + "unknown_token_id", specials.unkId());
    keys.put(PREFIX + "add_bos_token", addsBos);
    keys.put(PREFIX + "add_eos_token", false);
    keys.put(PREFIX + "add_space_prefix", model.normalizer().addDummyPrefix());
    return keys;
  }
}
