package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * SentencePiece in Java alone: the ids of Python sentencepiece 0.2.0, and of {@link
 * SentencePieceTokenizer}, in less time. Takes BPE, unigram and character models as they come: with
 * or without byte fallback, with user-defined symbols, with rules that rewrite text.
 *
 * <p>Thread-safe; each thread that encodes keeps about 5 MB. A JVM holds one instance per model
 * file, however often it is deserialized.
 */
public final class FastSentencePiece implements SentencePiece {
  private static final long serialVersionUID = 1;
  private static final Map<String, FastSentencePiece> LOADED = new ConcurrentHashMap<>();

  private final transient ModelFile file;
  private final transient SentencePieceModel model;
  private final transient PieceSymbols vocabulary;
  private final transient PieceDecoder decoder;
  private final transient PieceNormalizer normalizer;
  private final transient ThreadLocal<TextEncoder> encoders;

  /**
   * The tokenizer of a model file's bytes.
   *
   * @param location where the bytes come from, for error messages
   * @throws IllegalArgumentException if the bytes are no SentencePiece model, or one of another
   *     kind than BPE
   */
  public static FastSentencePiece of(byte[] model, String location) {
    ModelFile file = ModelFile.of(model, location);
    return LOADED.computeIfAbsent(file.sha256(), sha256 -> new FastSentencePiece(file));
  }

  /** The tokenizer of a local {@code tokenizer.model}. */
  public static FastSentencePiece read(Path file) throws IOException {
    return of(Files.readAllBytes(file), file.toString());
  }

  private FastSentencePiece(ModelFile file) {
    this.file = file;
    String location = file.location();
    this.model = SentencePieceModel.parse(file.bytes(), location);
    if (model.trainer().modelType() == ModelType.WORD) {
      throw new IllegalArgumentException(
          location + ": its type is WORD, wanted BPE, UNIGRAM or CHAR; give another model");
    }
    try {
      this.vocabulary = new PieceSymbols(model);
      this.normalizer =
          new PieceNormalizer(model, SentencePieceModelFile.characterRules(file.bytes()));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          location + ": this tokenizer is not usable: " + e.getMessage() + "; give another model",
          e);
    }
    this.decoder = new PieceDecoder(model);
    this.encoders = ThreadLocal.withInitial(this::newEncoder);
  }

  private TextEncoder newEncoder() {
    char space = normalizer.space();
    if (model.trainer().modelType() == ModelType.UNIGRAM) {
      return new UnigramScanner(model, vocabulary, space);
    }
    boolean unused = model.pieces().stream().anyMatch(p -> p.type() == PieceType.UNUSED);
    return unused && model.trainer().modelType() == ModelType.BPE
        ? new ResegmentingBpe(vocabulary, space)
        : new BpeScanner(vocabulary, space);
  }

  @Override
  public void encodeTo(String text, TokenBuffer ids) {
    int start = ids.size();
    if (normalizer.keepsText()) {
      if (text.isEmpty()) return;
      encoders.get().encode(text, normalizer.addsPrefix(), normalizer.addsSuffix(), ids);
    } else {
      String normalized = normalizer.normalize(text);
      if (!normalized.isEmpty()) encoders.get().encode(normalized, false, false, ids);
    }
    // Without bytes to fall back to, what is unknown in a row is one unknown piece.
    if (!vocabulary.byteFallback()) ids.collapse(vocabulary.unkId(), start);
  }

  @Override
  public String decode(int... ids) {
    return decoder.decode(ids);
  }

  @Override
  public int unkId() {
    return vocabulary.unkId();
  }

  @Override
  public SentencePieceModel model() {
    return model;
  }

  @Override
  public ModelFile file() {
    return file;
  }

  private Object writeReplace() {
    return new Serialized(Encoder.FAST, file.bytes(), file.location());
  }
}
