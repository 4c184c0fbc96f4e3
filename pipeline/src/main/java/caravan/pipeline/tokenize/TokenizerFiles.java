package caravan.pipeline.tokenize;

import caravan.pipeline.Json;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * Tokenizers by the files that they are kept in: {@code tokenizer.model} (SentencePiece, or
 * Llama-3's list of ranks), else {@code tokenizer.json} with {@code tokenizer_config.json}.
 */
public final class TokenizerFiles {
  /** The names of the files that a tokenizer may be read from, the first that is there counts. */
  public static final List<String> NAMES =
      List.of(TrainTokenizerStage.MODEL_FILE, TokenizerJson.FILE);

  /** Those and what goes with them. */
  static final List<String> ALL =
      List.of(TrainTokenizerStage.MODEL_FILE, TokenizerJson.FILE, TrainTokenizerStage.CONFIG_FILE);

  /** Byte-level ones by their files' hash: reading a large one takes a second. */
  private static final Map<String, ByteLevelTokenizer> LOADED = new ConcurrentHashMap<>();

  private TokenizerFiles() {}

  /** Whether there is a tokenizer among the files. */
  public static boolean hasTokenizer(Map<String, byte[]> files) {
    return NAMES.stream().anyMatch(files::containsKey);
  }

  /**
   * @param files contents by name; others than a tokenizer's are left alone
   * @param encoder of SentencePiece models
   * @param directory where the files come from, for error messages
   * @throws IllegalArgumentException if there is no tokenizer among them, or one that is not usable
   */
  public static Tokenizer open(Map<String, byte[]> files, Encoder encoder, String directory) {
    String name =
        NAMES.stream()
            .filter(files::containsKey)
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "%s: none of %s in it (tokenizer files: %s); give one as tokenizer=FILE"
                            .formatted(directory, String.join(", ", NAMES), files.keySet())));
    return openFile(files, encoder, directory + "/" + name);
  }

  /**
   * As above, from files of other names.
   *
   * @param where the main file lies, for error messages
   */
  public static Tokenizer openFile(Map<String, byte[]> files, Encoder encoder, String where) {
    byte[] model = files.get(TrainTokenizerStage.MODEL_FILE);
    if (model != null) {
      return Tiktoken.isTiktoken(model)
          ? loaded(model, Optional.empty(), () -> ranks(model, where))
          : encoder.open(model, where);
    }
    byte[] json = files.get(TokenizerJson.FILE);
    Optional<byte[]> config = Optional.ofNullable(files.get(TrainTokenizerStage.CONFIG_FILE));
    return loaded(json, config, () -> TokenizerJson.read(json, config, where));
  }

  private static ByteLevelTokenizer ranks(byte[] file, String where) {
    return Tiktoken.read(file, TrainTokenizerStage.MODEL_FILE, where);
  }

  private static ByteLevelTokenizer loaded(
      byte[] file, Optional<byte[]> config, Supplier<ByteLevelTokenizer> reader) {
    String hash = hash(file) + config.map(TokenizerFiles::hash).orElse("");
    return LOADED.computeIfAbsent(hash, key -> reader.get());
  }

  static String hash(byte[] file) {
    return HexFormat.of().formatHex(Json.sha256().digest(file));
  }
}
