package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.NormalizerSpec;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import com.johnsnowlabs.ml.tensorflow.sentencepiece.SentencePieceException;
import com.johnsnowlabs.ml.tensorflow.sentencepiece.SentencePieceProcessor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/**
 * A SentencePiece BPE or character vocabulary, encoded by Spark NLP's native SentencePiece. Ids and
 * decoded text equal Python sentencepiece 0.2.0's.
 *
 * <p>Two things are done on this side of the native library. Characters that no piece holds fall
 * back to bytes: their ids are written here. The text between them is cut where no piece can join
 * it (see {@link PieceAlphabet}) and the parts, short and often seen, are encoded one by one and
 * remembered. So the native library never sees a character that Java's native interface misspells
 * (NUL and those beyond U+FFFF), and memory does not grow with the length of a document.
 *
 * <p>Decoding gives back the encoded text, but for two things that no SentencePiece vocabulary can
 * tell apart: {@code ▁} (U+2581) comes back as a space, an unpaired surrogate as U+FFFD.
 *
 * <p>Thread-safe. A JVM holds one instance per model file, however often it is deserialized.
 */
public final class SentencePieceTokenizer implements SentencePiece {
  /** A run of this many chars without a place to cut is cut anyway: about 100 MB native memory. */
  static final int MAX_RUN_CHARS = 1 << 20;

  private static final long serialVersionUID = 1;
  private static final char SPACE = '\u2581';
  private static final int REPLACEMENT = 0xFFFD;
  private static final int REMEMBERED_RUNS = 1 << 17;
  private static final int MAX_REMEMBERED_CHARS = 32;
  private static final Map<String, SentencePieceTokenizer> LOADED = new ConcurrentHashMap<>();

  private final transient ModelFile file;
  private final transient SentencePieceModel model;
  private final transient PieceAlphabet alphabet;
  private final transient SentencePieceProcessor processor;
  private final transient PieceDecoder decoder;
  private final transient int[] byteIds;

  /** Code points that have an id beyond the vocabulary in the native library, in this order. */
  private final transient List<Integer> helped;

  /** Direct-mapped; entries are immutable, so that a race costs at most one more encoding. */
  private final transient Encoded[] remembered = new Encoded[REMEMBERED_RUNS];

  private record Encoded(char[] run, int[] ids) {}

  /**
   * The tokenizer of a model file's bytes.
   *
   * @param location where the bytes come from, for error messages
   * @throws IllegalArgumentException if the bytes are no SentencePiece model, or one that is not
   *     BPE with byte fallback and text kept as it is (no normalization rules, no removal of
   *     spaces)
   */
  public static SentencePieceTokenizer of(byte[] model, String location) {
    ModelFile file = ModelFile.of(model, location);
    return LOADED.computeIfAbsent(file.sha256(), sha256 -> new SentencePieceTokenizer(file));
  }

  /** The tokenizer of a local {@code tokenizer.model}. */
  public static SentencePieceTokenizer read(Path file) throws IOException {
    return of(Files.readAllBytes(file), file.toString());
  }

  private SentencePieceTokenizer(ModelFile file) {
    this.file = file;
    this.model = SentencePieceModel.parse(file.bytes(), file.location());
    requireSupported();
    Set<String> texts =
        model.pieces().stream().filter(Piece::isText).map(Piece::text).collect(Collectors.toSet());
    this.alphabet = new PieceAlphabet(texts);
    this.decoder = new PieceDecoder(model);
    this.byteIds = byteIds();
    this.helped =
        alphabet.substituted().stream()
            .filter(c -> !texts.contains(Character.toString(c)))
            .toList();
    this.processor = new SentencePieceProcessor();
    try {
      processor.loadFromSerializedProto(nativeModel().toBytes());
    } catch (SentencePieceException e) {
      throw new IllegalArgumentException(
          file.location() + ": the native SentencePiece refuses it: " + e.getMessage(), e);
    }
  }

  @Override
  public void encodeTo(String text, TokenBuffer ids) {
    if (text.isEmpty()) return;
    Run run = new Run(ids);
    if (model.normalizer().addDummyPrefix()) append(SPACE, run);
    for (int i = 0; i < text.length(); ) {
      int codePoint = text.codePointAt(i);
      i += Character.charCount(codePoint);
      if (codePoint == ' ') codePoint = SPACE;
      else if (isSurrogate(codePoint)) codePoint = REPLACEMENT;
      append(codePoint, run);
    }
    encodeRun(run);
  }

  private void append(int codePoint, Run run) {
    char symbol = alphabet.symbol(codePoint);
    if (symbol == PieceAlphabet.NONE) {
      encodeRun(run);
      addBytes(codePoint, run.ids);
      return;
    }
    if (run.length > 0
        && (run.length == MAX_RUN_CHARS || !alphabet.joins(run.chars[run.length - 1], symbol))) {
      encodeRun(run);
    }
    run.append(symbol);
  }

  private void addBytes(int codePoint, TokenBuffer ids) {
    for (byte b : Character.toString(codePoint).getBytes(StandardCharsets.UTF_8)) {
      ids.add(byteIds[b & 0xFF]);
    }
  }

  private void encodeRun(Run run) {
    int length = run.length;
    if (length == 0) return;
    run.length = 0;
    if (length > MAX_REMEMBERED_CHARS) {
      run.ids.add(encodeNatively(new String(run.chars, 0, length)));
      return;
    }
    int hash = 0;
    for (int i = 0; i < length; i++) hash = 31 * hash + run.chars[i];
    hash *= 0x9E3779B1;
    int slot = (hash ^ hash >>> 15) & (REMEMBERED_RUNS - 1);
    Encoded seen = remembered[slot];
    if (seen == null || !Arrays.equals(seen.run, 0, seen.run.length, run.chars, 0, length)) {
      char[] key = Arrays.copyOf(run.chars, length);
      seen = new Encoded(key, encodeNatively(new String(key)));
      remembered[slot] = seen;
    }
    run.ids.add(seen.ids);
  }

  private int[] encodeNatively(String run) {
    int[] ids = processor.encodeAsIds(run);
    if (helped.isEmpty() || Arrays.stream(ids).allMatch(id -> id < vocabSize())) return ids;
    TokenBuffer known = new TokenBuffer();
    for (int id : ids) {
      if (id < vocabSize()) known.add(id);
      else addBytes(helped.get(id - vocabSize()), known);
    }
    return known.toArray();
  }

  /** Symbols waiting to be encoded together. */
  private static final class Run {
    final TokenBuffer ids;
    char[] chars = new char[64];
    int length;

    Run(TokenBuffer ids) {
      this.ids = ids;
    }

    void append(char symbol) {
      if (length == chars.length) chars = Arrays.copyOf(chars, 2 * length);
      chars[length++] = symbol;
    }
  }

  @Override
  public String decode(int... ids) {
    return decoder.decode(ids);
  }

  @Override
  public int unkId() {
    return processor.unkId();
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
    return new Serialized(Encoder.SPARK_NLP, file.bytes(), file.location());
  }

  private int[] byteIds() {
    int[] ids = new int[256];
    Arrays.fill(ids, -1);
    for (int id = 0; id < model.pieces().size(); id++) {
      Piece piece = model.pieces().get(id);
      if (piece.type() == PieceType.BYTE) ids[PieceDecoder.byteValue(piece)] = id;
    }
    for (int value = 0; value < 256; value++) {
      if (ids[value] < 0) throw refused(String.format("it has no piece <0x%02X>", value));
    }
    return ids;
  }

  /**
   * The model as the native library gets it: pieces in symbols, spaces and prefix left to us. A
   * character that stands by a private-use one and is no piece alone becomes a piece after all
   * others, so that its bytes are not taken for those of what it stands by.
   */
  private SentencePieceModel nativeModel() {
    List<Piece> pieces = new ArrayList<>();
    for (Piece p : model.pieces()) {
      pieces.add(p.isText() ? new Piece(alphabet.translate(p.text()), p.score(), p.type()) : p);
    }
    for (int codePoint : helped) {
      String symbol = Character.toString(alphabet.symbol(codePoint));
      pieces.add(new Piece(symbol, 0, PieceType.NORMAL));
    }
    return new SentencePieceModel(
        pieces, model.trainer(), new NormalizerSpec("identity", false, false, false, true));
  }

  private void requireSupported() {
    NormalizerSpec normalizer = model.normalizer();
    ModelType type = model.trainer().modelType();
    if (type != ModelType.BPE && type != ModelType.CHAR) {
      throw refused("its type is " + type + ", wanted BPE or CHAR");
    }
    if (!model.trainer().byteFallback()) {
      throw refused("it has no byte fallback, so that rare characters would be lost");
    }
    if (normalizer.hasRules()) {
      throw refused("it rewrites text by the rules '" + normalizer.name() + "', wanted identity");
    }
    if (normalizer.removeExtraWhitespaces() || !normalizer.escapeWhitespaces()) {
      throw refused("it removes spaces (remove_extra_whitespaces), wanted text kept as it is");
    }
    if (model.trainer().whitespaceAsSuffix()) {
      throw refused("it writes spaces after words (treat_whitespace_as_suffix), wanted before");
    }
    for (Piece piece : model.pieces()) {
      if (piece.type() == PieceType.USER_DEFINED && piece.text().indexOf(' ') >= 0) {
        throw refused("its user-defined symbol '" + piece.text() + "' holds a space");
      }
    }
  }

  private IllegalArgumentException refused(String reason) {
    return new IllegalArgumentException(
        file.location()
            + ": this tokenizer is not usable here: "
            + reason
            + "; give one that train-tokenizer made, or a Llama-2 style tokenizer.model");
  }

  private static boolean isSurrogate(int codePoint) {
    return codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
  }
}
