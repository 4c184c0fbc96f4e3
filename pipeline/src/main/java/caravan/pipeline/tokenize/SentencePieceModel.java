package caravan.pipeline.tokenize;

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
      return SentencePieceModelFile.parse(new Protobuf.Reader(bytes));
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

  /**
   * Writes the model file. Equal models give equal bytes.
   *
   * @throws IllegalStateException if the normalizer has rules: they are not kept here, and a file
   *     without them would encode differently
   */
  public byte[] toBytes() {
    return SentencePieceModelFile.bytes(this);
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
