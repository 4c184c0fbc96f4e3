package caravan.pipeline.tokenize;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A SentencePiece model file ({@code tokenizer.model}): the {@code ModelProto} message of
 * sentencepiece_model.proto, with the fields that encoding, decoding and training decide by. Fields
 * of a file that are not named here are read over and not written again.
 *
 * @param pieces the vocabulary; a piece's id is its position
 */
public record SentencePieceModel(
    List<Piece> pieces, TrainerSpec trainer, NormalizerSpec normalizer) {

  /** What an id stands for, with its number in the file. */
  public enum PieceType {
    NORMAL(1),
    UNKNOWN(2),
    CONTROL(3),
    USER_DEFINED(4),
    UNUSED(5),
    BYTE(6);

    private final int number;

    PieceType(int number) {
      this.number = number;
    }

    public int number() {
      return number;
    }

    public static PieceType of(long number) {
      for (PieceType type : values()) if (type.number == number) return type;
      throw new IllegalArgumentException("piece type " + number + ", known are 1 to 6");
    }
  }

  /**
   * @param text the piece with spaces as {@code ▁}
   * @param score BPE: the merge of highest score goes first
   */
  public record Piece(String text, float score, PieceType type) {
    /** Whether text can become this piece: the others stand for bytes, control and unknown. */
    public boolean isText() {
      return type == PieceType.NORMAL || type == PieceType.USER_DEFINED || type == PieceType.UNUSED;
    }
  }

  /**
   * The pieces with a role, found by their text; a training id of -1 means that there is none.
   *
   * @param unkSurface what an unknown piece decodes to
   */
  public record Specials(
      int unkId,
      int bosId,
      int eosId,
      int padId,
      String unkPiece,
      String bosPiece,
      String eosPiece,
      String padPiece,
      String unkSurface) {
    /** Unknown 0, begin 1, end 2, no padding: sentencepiece's defaults, and Llama-2's. */
    public static final Specials DEFAULT =
        new Specials(0, 1, 2, -1, "<unk>", "<s>", "</s>", "<pad>", " \u2047 ");
  }

  /** How the vocabulary was made. */
  public record TrainerSpec(
      ModelType modelType,
      int vocabSize,
      float characterCoverage,
      int maxPieceLength,
      boolean splitByUnicodeScript,
      boolean splitByWhitespace,
      boolean splitByNumber,
      boolean splitDigits,
      boolean allowWhitespaceOnlyPieces,
      boolean whitespaceAsSuffix,
      boolean byteFallback,
      List<String> controlSymbols,
      List<String> userDefinedSymbols,
      Specials specials) {
    /** The same for more pieces, some of them perhaps longer. */
    TrainerSpec extended(int pieces, int longestPiece) {
      return new TrainerSpec(
          modelType,
          pieces,
          characterCoverage,
          Math.max(maxPieceLength, longestPiece),
          splitByUnicodeScript,
          splitByWhitespace,
          splitByNumber,
          splitDigits,
          allowWhitespaceOnlyPieces,
          whitespaceAsSuffix,
          byteFallback,
          controlSymbols,
          userDefinedSymbols,
          specials);
    }
  }

  /** The algorithm, in the order of its numbers in the file (from 1). */
  public enum ModelType {
    UNIGRAM,
    BPE,
    WORD,
    CHAR
  }

  /**
   * What is done to a text before encoding.
   *
   * @param name the rule set, {@code identity} for none
   * @param hasRules whether the file carries compiled character rules
   * @param addDummyPrefix whether a space is put before the text
   * @param removeExtraWhitespaces whether runs of spaces become one and the ends are trimmed
   * @param escapeWhitespaces whether a space is written {@code ▁}
   */
  public record NormalizerSpec(
      String name,
      boolean hasRules,
      boolean addDummyPrefix,
      boolean removeExtraWhitespaces,
      boolean escapeWhitespaces) {}

  public SentencePieceModel {
    pieces = List.copyOf(pieces);
  }

  /**
   * Reads a model file.
   *
   * @param location where the bytes come from, for error messages
   * @throws IllegalArgumentException if the bytes are no SentencePiece model
   */
  public static SentencePieceModel parse(byte[] bytes, String location) {
    try {
      return parseMessage(new Protobuf.Reader(bytes));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          location
              + ": its "
              + bytes.length
              + " bytes are no SentencePiece model ("
              + e.getMessage()
              + "); give the tokenizer.model that train-tokenizer or sentencepiece wrote",
          e);
    }
  }

  /** The character rules of a model file that {@link #parse} takes; null if it has none. */
  static CharacterRules characterRules(byte[] bytes) {
    for (Protobuf.Reader in = new Protobuf.Reader(bytes); in.hasNext(); ) {
      if (in.field() != 3) {
        in.skip();
        continue;
      }
      Protobuf.Reader normalizer = in.message();
      while (normalizer.hasNext()) {
        if (normalizer.field() != 2) {
          normalizer.skip();
          continue;
        }
        byte[] blob = normalizer.message().rest();
        if (blob.length > 0) return new CharacterRules(blob);
      }
    }
    return null;
  }

  private static SentencePieceModel parseMessage(Protobuf.Reader in) {
    List<Piece> pieces = new ArrayList<>();
    Protobuf.Reader trainer = new Protobuf.Reader(new byte[0]);
    Protobuf.Reader normalizer = new Protobuf.Reader(new byte[0]);
    while (in.hasNext()) {
      switch (in.field()) {
        case 1 -> pieces.add(parsePiece(in.message()));
        case 2 -> trainer = in.message();
        case 3 -> normalizer = in.message();
        default -> in.skip();
      }
    }
    if (pieces.isEmpty()) throw new IllegalArgumentException("it has no pieces");
    return new SentencePieceModel(pieces, parseTrainer(trainer), parseNormalizer(normalizer));
  }

  private static Piece parsePiece(Protobuf.Reader in) {
    String text = "";
    float score = 0;
    PieceType type = PieceType.NORMAL;
    while (in.hasNext()) {
      switch (in.field()) {
        case 1 -> text = in.string();
        case 2 -> score = in.float32();
        case 3 -> type = PieceType.of(in.integer());
        default -> in.skip();
      }
    }
    return new Piece(text, score, type);
  }

  private static TrainerSpec parseTrainer(Protobuf.Reader in) {
    // The defaults are sentencepiece_model.proto's.
    ModelType modelType = ModelType.UNIGRAM;
    int vocabSize = 8000;
    float coverage = 0.9995f;
    int maxPieceLength = 16;
    boolean byScript = true;
    boolean byWhitespace = true;
    boolean byNumber = true;
    boolean digits = false;
    boolean whitespaceOnly = false;
    boolean suffix = false;
    boolean byteFallback = false;
    List<String> controls = new ArrayList<>();
    List<String> symbols = new ArrayList<>();
    Protobuf.Reader start = in.copy();
    while (in.hasNext()) {
      switch (in.field()) {
        case 3 -> modelType = modelType(in.integer());
        case 4 -> vocabSize = (int) in.integer();
        case 10 -> coverage = in.float32();
        case 20 -> maxPieceLength = (int) in.integer();
        case 21 -> byScript = in.bool();
        case 22 -> byWhitespace = in.bool();
        case 23 -> byNumber = in.bool();
        case 24 -> suffix = in.bool();
        case 25 -> digits = in.bool();
        case 26 -> whitespaceOnly = in.bool();
        case 30 -> controls.add(in.string());
        case 31 -> symbols.add(in.string());
        case 35 -> byteFallback = in.bool();
        default -> in.skip();
      }
    }
    return new TrainerSpec(
        modelType,
        vocabSize,
        coverage,
        maxPieceLength,
        byScript,
        byWhitespace,
        byNumber,
        digits,
        whitespaceOnly,
        suffix,
        byteFallback,
        controls,
        symbols,
        parseSpecials(start));
  }

  private static Specials parseSpecials(Protobuf.Reader in) {
    int[] ids = {0, 1, 2, -1};
    String[] texts = {
      Specials.DEFAULT.unkSurface,
      Specials.DEFAULT.unkPiece,
      Specials.DEFAULT.bosPiece,
      Specials.DEFAULT.eosPiece,
      Specials.DEFAULT.padPiece
    };
    while (in.hasNext()) {
      int field = in.field();
      if (field >= 40 && field <= 43) ids[field - 40] = (int) in.integer();
      else if (field >= 44 && field <= 48) texts[field - 44] = in.string();
      else in.skip();
    }
    return new Specials(
        ids[0], ids[1], ids[2], ids[3], texts[1], texts[2], texts[3], texts[4], texts[0]);
  }

  private static ModelType modelType(long number) {
    if (number < 1 || number > ModelType.values().length) {
      throw new IllegalArgumentException("model type " + number + ", known are 1 to 4");
    }
    return ModelType.values()[(int) number - 1];
  }

  private static NormalizerSpec parseNormalizer(Protobuf.Reader in) {
    String name = "";
    boolean hasRules = false;
    boolean dummyPrefix = true;
    boolean removeExtra = true;
    boolean escape = true;
    while (in.hasNext()) {
      switch (in.field()) {
        case 1 -> name = in.string();
        case 2 -> hasRules = in.message().hasNext();
        case 3 -> dummyPrefix = in.bool();
        case 4 -> removeExtra = in.bool();
        case 5 -> escape = in.bool();
        default -> in.skip();
      }
    }
    return new NormalizerSpec(name, hasRules, dummyPrefix, removeExtra, escape);
  }

  /**
   * Writes the model file. Equal models give equal bytes.
   *
   * @throws IllegalStateException if the normalizer has rules: they are not kept here, and a file
   *     without them would encode differently
   */
  public byte[] toBytes() {
    if (normalizer.hasRules) {
      throw new IllegalStateException("the rules of normalizer " + normalizer.name + " are lost");
    }
    Protobuf.Writer out = new Protobuf.Writer();
    for (Piece piece : pieces) {
      Protobuf.Writer message = new Protobuf.Writer().string(1, piece.text).float32(2, piece.score);
      if (piece.type != PieceType.NORMAL) message.integer(3, piece.type.number);
      out.bytes(1, message.toBytes());
    }
    return out.bytes(2, trainerBytes()).bytes(3, normalizerBytes()).toBytes();
  }

  private byte[] trainerBytes() {
    Protobuf.Writer out =
        new Protobuf.Writer()
            .integer(3, trainer.modelType.ordinal() + 1)
            .integer(4, trainer.vocabSize)
            .float32(10, trainer.characterCoverage)
            .integer(20, trainer.maxPieceLength)
            .bool(21, trainer.splitByUnicodeScript)
            .bool(22, trainer.splitByWhitespace)
            .bool(23, trainer.splitByNumber)
            .bool(24, trainer.whitespaceAsSuffix)
            .bool(25, trainer.splitDigits)
            .bool(26, trainer.allowWhitespaceOnlyPieces);
    for (String symbol : trainer.controlSymbols) out.string(30, symbol);
    for (String symbol : trainer.userDefinedSymbols) out.string(31, symbol);
    Specials specials = trainer.specials;
    return out.bool(35, trainer.byteFallback)
        .integer(40, specials.unkId)
        .integer(41, specials.bosId)
        .integer(42, specials.eosId)
        .integer(43, specials.padId)
        .string(44, specials.unkSurface)
        .string(45, specials.unkPiece)
        .string(46, specials.bosPiece)
        .string(47, specials.eosPiece)
        .string(48, specials.padPiece)
        .toBytes();
  }

  private byte[] normalizerBytes() {
    return new Protobuf.Writer()
        .string(1, normalizer.name)
        .bool(3, normalizer.addDummyPrefix)
        .bool(4, normalizer.removeExtraWhitespaces)
        .bool(5, normalizer.escapeWhitespaces)
        .toBytes();
  }

  /** The id of the control piece with a text, or -1 if there is none. */
  int controlId(String text) {
    for (int id = 0; id < pieces.size(); id++) {
      Piece piece = pieces.get(id);
      if (piece.type() == PieceType.CONTROL && piece.text().equals(text)) return id;
    }
    return -1;
  }

  /** {@code tokenizer_config.json}: how Hugging Face's transformers is to read the model file. */
  public Map<String, Object> transformersConfig() {
    SentencePieceModel.Specials specials = trainer().specials();
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("tokenizer_class", "LlamaTokenizer");
    config.put("add_bos_token", true);
    config.put("add_eos_token", false);
    config.put("bos_token", specials.bosPiece());
    config.put("eos_token", specials.eosPiece());
    config.put("unk_token", specials.unkPiece());
    config.put("clean_up_tokenization_spaces", false);
    config.put("legacy", true);
    return config;
  }
}
