package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.NormalizerSpec;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import caravan.pipeline.tokenize.SentencePieceModel.Specials;
import caravan.pipeline.tokenize.SentencePieceModel.TrainerSpec;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Learns a SentencePiece vocabulary by byte pair encoding ({@link MergeLearner}) from distinct
 * segments with counts ({@link SegmentCounts}).
 *
 * <p>The model has Llama-2's layout: unknown 0, BOS 1, EOS 2, bytes 3 to 258, then user-defined
 * symbols, merges in their order, single characters by falling frequency.
 */
public final class BpeTrainer {
  private final TokenizerConfig config;
  private final List<Integer> alphabet;
  private final MergeLearner learner;
  private final List<String> merges = new ArrayList<>();

  private BpeTrainer(SegmentCounts segments, TokenizerConfig config) {
    this.config = config;
    alphabet = alphabet(segments.characters(), config.characterCoverage());
    Map<Integer, Integer> symbolOf = new HashMap<>();
    List<int[]> symbols = new ArrayList<>();
    for (int character : alphabet) {
      symbolOf.put(character, symbols.size());
      symbols.add(new int[] {character});
    }
    learner =
        new MergeLearner(
            symbols,
            new SymbolStream(segments.sorted(), c -> symbolOf.getOrDefault(c, SymbolStream.BREAK)),
            new PieceRules(config.maxPieceLength(), config.splitDigits()),
            text -> true);
  }

  /**
   * Learns a vocabulary.
   *
   * @throws IllegalArgumentException if the vocabulary is too small for the characters, or too
   *     large for the text
   */
  public static SentencePieceModel train(SegmentCounts segments, TokenizerConfig config) {
    BpeTrainer trainer = new BpeTrainer(segments, config);
    trainer.learn();
    return trainer.model();
  }

  /** The most frequent characters, up to the coverage; the space in any case. */
  static List<Integer> alphabet(Map<Integer, Long> characters, double coverage) {
    long all = characters.values().stream().mapToLong(Long::longValue).sum();
    List<Integer> byCount = new ArrayList<>(characters.keySet());
    byCount.sort(Comparator.<Integer>comparingLong(characters::get).reversed());
    List<Integer> covered = new ArrayList<>();
    long sum = 0;
    for (int character : byCount) {
      if (sum >= coverage * all) break;
      sum += characters.get(character);
      covered.add(character);
    }
    if (!covered.contains(PieceRules.SPACE)) covered.add(PieceRules.SPACE);
    return covered;
  }

  private void learn() {
    int fixed = TokenizerConfig.FIXED_PIECES + config.userDefinedSymbols().size();
    int wanted = config.vocabSize() - fixed - newCharacters();
    if (wanted < 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "train-tokenizer.vocab-size: got %,d, the text needs %,d (%,d special, byte and"
                  + " user-defined pieces, %,d characters); raise it, or lower"
                  + " train-tokenizer.character-coverage",
              config.vocabSize(),
              config.vocabSize() - wanted,
              fixed,
              newCharacters()));
    }
    while (merges.size() < wanted) {
      merges.add(learner.next().orElseThrow(() -> tooLarge(fixed)));
    }
  }

  /** Single characters that are no user-defined symbol. */
  private int newCharacters() {
    return (int) alphabet.stream().filter(c -> !isUserDefined(Character.toString(c))).count();
  }

  private boolean isUserDefined(String text) {
    return config.userDefinedSymbols().contains(text);
  }

  private IllegalArgumentException tooLarge(int fixed) {
    return new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "train-tokenizer.vocab-size: got %,d, the text gives no more than %,d (%,d special,"
                + " byte and user-defined pieces, %,d characters, %,d merges); lower it or give"
                + " more text",
            config.vocabSize(),
            fixed + newCharacters() + merges.size(),
            fixed,
            newCharacters(),
            merges.size()));
  }

  private SentencePieceModel model() {
    List<Piece> pieces = new ArrayList<>();
    pieces.add(new Piece(Specials.DEFAULT.unkPiece(), 0, PieceType.UNKNOWN));
    pieces.add(new Piece(Specials.DEFAULT.bosPiece(), 0, PieceType.CONTROL));
    pieces.add(new Piece(Specials.DEFAULT.eosPiece(), 0, PieceType.CONTROL));
    for (int value = 0; value < 256; value++) {
      pieces.add(new Piece(String.format("<0x%02X>", value), 0, PieceType.BYTE));
    }
    for (String symbol : config.userDefinedSymbols()) {
      pieces.add(new Piece(symbol, 0, PieceType.USER_DEFINED));
    }
    int rank = 0;
    for (String text : merges) pieces.add(new Piece(text, -rank++, PieceType.NORMAL));
    for (int character : alphabet) {
      String text = Character.toString(character);
      if (!isUserDefined(text)) pieces.add(new Piece(text, -rank++, PieceType.NORMAL));
    }
    return new SentencePieceModel(
        pieces, trainerSpec(), new NormalizerSpec("identity", false, true, false, true));
  }

  private TrainerSpec trainerSpec() {
    return new TrainerSpec(
        ModelType.BPE,
        config.vocabSize(),
        (float) config.characterCoverage(),
        config.maxPieceLength(),
        true,
        true,
        true,
        config.splitDigits(),
        true,
        false,
        true,
        config.userDefinedSymbols(),
        Specials.DEFAULT);
  }
}
