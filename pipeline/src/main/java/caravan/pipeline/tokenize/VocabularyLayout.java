package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.NormalizerSpec;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import caravan.pipeline.tokenize.SentencePieceModel.Specials;
import caravan.pipeline.tokenize.SentencePieceModel.TrainerSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What stands where in a new vocabulary: as in Llama-2's, unknown 0, BOS 1, EOS 2, bytes 3 to 258;
 * then control symbols, user-defined symbols, learned pieces, single characters by falling
 * frequency.
 */
final class VocabularyLayout {
  private final TokenizerConfig config;
  private final Alphabet alphabet;

  VocabularyLayout(TokenizerConfig config, Alphabet alphabet) {
    this.config = config;
    this.alphabet = alphabet;
  }

  /** Whether a text is a special piece or a byte's. */
  static boolean isFixed(String text) {
    return fixedPieces().stream().anyMatch(piece -> piece.text().equals(text));
  }

  /**
   * How many pieces there are to learn, beside the characters.
   *
   * @throws IllegalArgumentException if the vocabulary cannot hold the characters
   */
  int learnedPieces() {
    int needed = fixed() + alphabet.size();
    if (config.vocabSize() < needed) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "train-tokenizer.vocab-size: got %,d, the text needs %,d (%,d special, byte and"
                  + " symbol pieces, %,d characters); raise it, or lower"
                  + " train-tokenizer.character-coverage",
              config.vocabSize(),
              needed,
              fixed(),
              alphabet.size()));
    }
    return config.vocabSize() - needed;
  }

  /** The refusal of a vocabulary larger than the text can fill. */
  IllegalArgumentException tooLarge(int learned) {
    return new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "train-tokenizer.vocab-size: got %,d, the text gives no more than %,d (%,d special,"
                + " byte and symbol pieces, %,d characters, %,d learned); lower it or give more text",
            config.vocabSize(),
            fixed() + alphabet.size() + learned,
            fixed(),
            alphabet.size(),
            learned));
  }

  private int fixed() {
    return TokenizerConfig.FIXED_PIECES + config.symbols().size();
  }

  /**
   * @param merges learned pieces; a score is the negated rank, so that earlier ones go first
   */
  SentencePieceModel bpe(List<String> merges) {
    List<Piece> pieces = symbolPieces();
    int rank = 0;
    for (String text : merges) pieces.add(new Piece(text, -rank++, PieceType.NORMAL));
    for (int character : alphabet.characters()) {
      pieces.add(new Piece(Character.toString(character), -rank++, PieceType.NORMAL));
    }
    return model(ModelType.BPE, pieces);
  }

  /** Scores are logarithms of the characters' shares, as sentencepiece's. */
  SentencePieceModel characters() {
    List<Piece> pieces = symbolPieces();
    double all = Math.log(alphabet.counts().stream().mapToLong(Long::longValue).sum());
    for (int i = 0; i < alphabet.size(); i++) {
      String text = Character.toString(alphabet.characters().get(i));
      float score = (float) (Math.log(alphabet.counts().get(i)) - all);
      pieces.add(new Piece(text, score, PieceType.NORMAL));
    }
    return model(ModelType.CHAR, pieces);
  }

  private List<Piece> symbolPieces() {
    List<Piece> pieces = fixedPieces();
    for (String symbol : config.controlSymbols()) {
      pieces.add(new Piece(symbol, 0, PieceType.CONTROL));
    }
    for (String symbol : config.userDefinedSymbols()) {
      pieces.add(new Piece(symbol, 0, PieceType.USER_DEFINED));
    }
    return pieces;
  }

  private static List<Piece> fixedPieces() {
    List<Piece> pieces = new ArrayList<>();
    pieces.add(new Piece(Specials.DEFAULT.unkPiece(), 0, PieceType.UNKNOWN));
    pieces.add(new Piece(Specials.DEFAULT.bosPiece(), 0, PieceType.CONTROL));
    pieces.add(new Piece(Specials.DEFAULT.eosPiece(), 0, PieceType.CONTROL));
    for (int value = 0; value < 256; value++) {
      pieces.add(new Piece(String.format("<0x%02X>", value), 0, PieceType.BYTE));
    }
    return pieces;
  }

  private SentencePieceModel model(ModelType type, List<Piece> pieces) {
    TrainerSpec trainer =
        new TrainerSpec(
            type,
            pieces.size(),
            (float) config.characterCoverage(),
            config.maxPieceLength(),
            true,
            true,
            true,
            config.splitDigits(),
            true,
            false,
            true,
            config.controlSymbols(),
            config.userDefinedSymbols(),
            Specials.DEFAULT);
    return new SentencePieceModel(
        pieces, trainer, new NormalizerSpec("identity", false, true, false, true));
  }
}
