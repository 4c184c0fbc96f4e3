package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import java.lang.Character.UnicodeScript;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Goes on learning merges where a SentencePiece BPE vocabulary has stopped: the text is split by
 * the base's own pieces, and the most frequent pairs of what comes out become new pieces, with
 * scores below the base's lowest.
 *
 * <p>So encoding with the extended vocabulary first merges as the base does and then merges
 * further: old ids keep their meaning, each new id stands for a run of old ones, and text in which
 * no new piece occurs keeps its ids (but for a base with pieces that its own merges never reach:
 * new merges may lead to them). A merge is learned only if encoding reaches it, that is, if the
 * piece's own text becomes exactly this piece; pieces appended with a score of 0 (as Chinese-LLaMA
 * does, Cui et al. 2023, arXiv 2304.08177) would be merged before the base's and change what those
 * become.
 */
final class VocabularyExtender {
  private final SentencePieceModel base;
  private final ExtensionConfig config;
  private final Set<UnicodeScript> scripts;
  private final Set<String> baseTexts = new HashSet<>();
  private final PieceMerges known;
  private final List<String> characters;
  private final List<String> merges = new ArrayList<>();
  private final MergeLearner learner;

  private VocabularyExtender(
      SentencePieceModel base,
      Map<Integer, Long> characterCounts,
      SegmentCounts segments,
      ExtensionConfig config) {
    this.base = base;
    this.config = config;
    this.scripts = config.unicodeScripts();
    base.pieces().forEach(piece -> baseTexts.add(piece.text()));
    known = PieceMerges.of(base);
    characters =
        Alphabet.of(characterCounts, config.characterCoverage(), baseTexts).characters().stream()
            .filter(this::isWanted)
            .map(Character::toString)
            .toList();
    learner = learner(segments);
  }

  /**
   * Extends a vocabulary.
   *
   * @param base BPE with byte fallback
   * @param characterCounts how often each code point occurs in the text
   * @param segments of the text, or of a sample
   * @throws IllegalArgumentException if the wanted size is no larger than the base, has no room for
   *     the text's characters, or the text does not give as many pieces
   */
  static SentencePieceModel extend(
      SentencePieceModel base,
      Map<Integer, Long> characterCounts,
      SegmentCounts segments,
      ExtensionConfig config) {
    requireExtensible(base, config);
    VocabularyExtender extender = new VocabularyExtender(base, characterCounts, segments, config);
    extender.learn();
    return extender.model();
  }

  /**
   * @throws IllegalArgumentException if there is nothing to add, or no score can put it behind
   */
  static void requireExtensible(SentencePieceModel base, ExtensionConfig config) {
    if (config.vocabSize() <= base.pieces().size()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "extend-tokenizer.vocab-size: got %,d, but the base has %,d pieces already; wanted"
                  + " more, since it counts the base's and the new ones",
              config.vocabSize(),
              base.pieces().size()));
    }
    if (base.trainer().modelType() != ModelType.BPE || !base.trainer().byteFallback()) {
      throw new IllegalArgumentException(
          "tokenizer: its type is "
              + base.trainer().modelType()
              + (base.trainer().byteFallback() ? "" : " without byte fallback")
              + ", wanted BPE with byte fallback, whose merges can go on; give one that"
              + " train-tokenizer made, or a Llama-2 style tokenizer.model");
    }
    if (base.pieces().stream().anyMatch(piece -> piece.type() == PieceType.UNUSED)) {
      throw new IllegalArgumentException(
          "tokenizer: it has pieces of the type UNUSED, which are split again after merging, so"
              + " that no score puts new ones behind them; give a base without");
    }
  }

  /** Whether a character may have a new piece, by the writing systems asked for. */
  private boolean isWanted(int character) {
    if (scripts.isEmpty()) return true;
    UnicodeScript script = UnicodeScript.of(character);
    boolean shared = script == UnicodeScript.COMMON || script == UnicodeScript.INHERITED;
    return scripts.contains(script) || shared && character > 0x7F;
  }

  /** The segments as the base merges them. */
  private MergeLearner learner(SegmentCounts segments) {
    List<int[]> symbols = new ArrayList<>();
    Map<Integer, Integer> numberOf = new HashMap<>();
    for (Piece piece : base.pieces()) {
      if (piece.type() == PieceType.NORMAL) number(piece.text(), symbols, numberOf);
    }
    characters.forEach(text -> number(text, symbols, numberOf));
    SymbolStream stream =
        new SymbolStream(
            segments,
            c -> numberOf.getOrDefault(known.symbol(Character.toString(c)), SymbolStream.BREAK));
    int[] symbolOfNumber = new int[symbols.size()];
    numberOf.forEach((symbol, number) -> symbolOfNumber[number] = symbol);
    mergeByBase(stream, symbols, numberOf, symbolOfNumber);
    PieceRules rules = new PieceRules(config.maxPieceLength(), base.trainer().splitDigits());
    return new MergeLearner(symbols, stream, rules, this::accepts);
  }

  private void number(String text, List<int[]> symbols, Map<Integer, Integer> numberOf) {
    numberOf.put(known.symbol(text), symbols.size());
    symbols.add(text.codePoints().toArray());
  }

  private void mergeByBase(
      SymbolStream stream,
      List<int[]> symbols,
      Map<Integer, Integer> numberOf,
      int[] symbolOfNumber) {
    int[] run = new int[64];
    int position = 0;
    while (position < stream.length()) {
      int start = position;
      while (position < stream.length() && stream.at(position) >= 0) {
        if (position - start == run.length) run = Arrays.copyOf(run, 2 * run.length);
        run[position - start] = symbolOfNumber[stream.at(position++)];
      }
      int merged = known.merge(run, position - start);
      int at = start;
      for (int i = 0; i < merged; i++) {
        int number = numberOf.get(run[i]);
        int end = at + symbols.get(number).length;
        stream.put(at, end, number);
        at = end;
      }
      position++;
    }
  }

  /**
   * Whether encoding reaches a piece once it is the last in rank: all other merges come first, and
   * must leave exactly two parts.
   */
  private boolean accepts(String text) {
    if (baseTexts.contains(text) || !holdsWanted(text) || known.split(text).size() != 2) {
      return false;
    }
    known.addLast(text);
    return true;
  }

  private boolean holdsWanted(String text) {
    return scripts.isEmpty()
        || text.codePoints().anyMatch(c -> scripts.contains(UnicodeScript.of(c)));
  }

  private void learn() {
    int size = base.pieces().size();
    int wanted = config.vocabSize() - size - characters.size();
    if (wanted < 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "extend-tokenizer.vocab-size: got %,d, the text needs %,d (%,d of the base, %,d"
                  + " characters that it lacks); raise it, or lower"
                  + " extend-tokenizer.character-coverage",
              config.vocabSize(),
              config.vocabSize() - wanted,
              size,
              characters.size()));
    }
    while (merges.size() < wanted) {
      merges.add(learner.next().orElseThrow(this::tooLarge));
    }
  }

  private IllegalArgumentException tooLarge() {
    return new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "extend-tokenizer.vocab-size: got %,d, the text gives no more than %,d (%,d of the"
                + " base, %,d new characters, %,d new merges of the writing systems %s); lower it, give"
                + " more text, or widen extend-tokenizer.scripts",
            config.vocabSize(),
            base.pieces().size() + characters.size() + merges.size(),
            base.pieces().size(),
            characters.size(),
            merges.size(),
            config.scripts().isEmpty() ? "any" : config.scripts()));
  }

  private SentencePieceModel model() {
    List<Piece> pieces = new ArrayList<>(base.pieces());
    double lowest = base.pieces().stream().mapToDouble(Piece::score).min().orElseThrow();
    float score = (float) Math.floor(lowest);
    for (List<String> texts : List.of(merges, characters)) {
      for (String text : texts) {
        score = below(score);
        pieces.add(new Piece(text, score, PieceType.NORMAL));
      }
    }
    return new SentencePieceModel(
        pieces, base.trainer().extended(pieces.size(), config.maxPieceLength()), base.normalizer());
  }

  /** One less, or where that is the same 32-bit float (Llama-2's spaces have -1e9), the next. */
  private static float below(float score) {
    return Math.min(score - 1, Math.nextDown(score));
  }
}
