package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.NormalizerSpec;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import caravan.pipeline.tokenize.SentencePieceModel.Specials;
import caravan.pipeline.tokenize.SentencePieceModel.TrainerSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * Learns a SentencePiece vocabulary by byte pair encoding (Sennrich, Haddow and Birch, 2016, arXiv
 * 1508.07909, section 3.2): the most frequent pair of neighbouring symbols becomes a symbol, again
 * and again. Of equally frequent pairs the shorter goes first, then the one first in code point
 * order.
 *
 * <p>Works on distinct segments with counts ({@link SegmentCounts}). Pair counts are kept up to
 * date at the places where a merge happens, and the next pair comes from a heap whose outdated
 * entries are put back with their true count.
 *
 * <p>The model has Llama-2's layout: unknown 0, BOS 1, EOS 2, bytes 3 to 258, then user-defined
 * symbols, merges in their order, single characters by falling frequency.
 */
public final class BpeTrainer {
  private final TokenizerConfig config;
  private final PieceRules rules;
  private final List<Integer> alphabet;
  private final Map<String, Integer> symbolOf = new HashMap<>();
  private final List<int[]> symbols = new ArrayList<>();
  private final List<String> merges = new ArrayList<>();
  private final PairTable pairs;
  private final SymbolStream stream;
  private final PriorityQueue<Candidate> heap;

  private record Candidate(int pair, long count) {}

  private BpeTrainer(SegmentCounts segments, TokenizerConfig config) {
    this.config = config;
    rules = new PieceRules(config.maxPieceLength(), config.splitDigits());
    alphabet = alphabet(segments.characters(), config.characterCoverage());
    Map<Integer, Integer> symbolOfCharacter = new HashMap<>();
    for (int character : alphabet) {
      symbolOfCharacter.put(character, addSymbol(new int[] {character}));
    }
    pairs = new PairTable((left, right) -> rules.mayBePiece(symbols.get(left), symbols.get(right)));
    stream =
        new SymbolStream(
            segments.sorted(), c -> symbolOfCharacter.getOrDefault(c, SymbolStream.BREAK));
    heap = new PriorityQueue<>(this::compare);
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
  private static List<Integer> alphabet(Map<Integer, Long> characters, double coverage) {
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
    countPairs();
    while (merges.size() < wanted) {
      int best = next();
      if (best < 0) throw tooLarge(fixed);
      merge(best);
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

  private void countPairs() {
    for (int position = 1; position + 1 < stream.length(); position++) {
      int left = stream.at(position);
      int right = stream.at(position + 1);
      if (left < 0 || right < 0) continue;
      int pair = pairs.find(left, right);
      if (pair >= 0) pairs.add(pair, position, stream.weight(position));
    }
    for (int pair = 0; pair < pairs.size(); pair++) {
      heap.add(new Candidate(pair, pairs.count(pair)));
    }
  }

  /** The most frequent pair, or -1. */
  private int next() {
    while (!heap.isEmpty()) {
      Candidate candidate = heap.poll();
      long count = pairs.count(candidate.pair);
      if (count == candidate.count && count > 0) return candidate.pair;
      if (count > 0 && count < candidate.count) heap.add(new Candidate(candidate.pair, count));
    }
    return -1;
  }

  private void merge(int pair) {
    int left = pairs.left(pair);
    int right = pairs.right(pair);
    int merged = mergedSymbol(left, right);
    int leftLength = symbols.get(left).length;
    int length = symbols.get(merged).length;
    Set<Integer> grown = new LinkedHashSet<>();
    for (int position : pairs.take(pair)) {
      int middle = position + leftLength;
      if (stream.at(position) != left || stream.at(middle) != right) continue;
      int end = position + length;
      long weight = stream.weight(position);
      int before = stream.before(position);
      int previous = stream.at(before);
      int next = stream.at(end);
      if (previous >= 0) lose(previous, left, pair, weight);
      if (next >= 0) lose(right, next, pair, weight);
      stream.merge(position, middle, end, merged);
      if (previous >= 0) gain(previous, merged, before, weight, grown);
      if (next >= 0) gain(merged, next, position, weight, grown);
    }
    for (int neighbours : grown) heap.add(new Candidate(neighbours, pairs.count(neighbours)));
  }

  private void lose(int left, int right, int merging, long weight) {
    int pair = pairs.find(left, right);
    if (pair >= 0 && pair != merging) pairs.remove(pair, weight);
  }

  private void gain(int left, int right, int position, long weight, Set<Integer> grown) {
    int pair = pairs.find(left, right);
    if (pair < 0) return;
    pairs.add(pair, position, weight);
    grown.add(pair);
  }

  /** The symbol of two together; a new merge unless other parts have given the same text before. */
  private int mergedSymbol(int left, int right) {
    int[] first = symbols.get(left);
    int[] second = symbols.get(right);
    int[] both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    Integer known = symbolOf.get(text(both));
    if (known != null) return known;
    merges.add(text(both));
    return addSymbol(both);
  }

  private int addSymbol(int[] characters) {
    symbolOf.put(text(characters), symbols.size());
    symbols.add(characters);
    return symbols.size() - 1;
  }

  private static String text(int[] characters) {
    return new String(characters, 0, characters.length);
  }

  /** Best first: most frequent, then shortest, then first in code point order. */
  private int compare(Candidate a, Candidate b) {
    if (a.count != b.count) return Long.compare(b.count, a.count);
    if (a.pair == b.pair) return 0;
    int[] aLeft = symbols.get(pairs.left(a.pair));
    int[] aRight = symbols.get(pairs.right(a.pair));
    int[] bLeft = symbols.get(pairs.left(b.pair));
    int[] bRight = symbols.get(pairs.right(b.pair));
    int length = aLeft.length + aRight.length;
    if (length != bLeft.length + bRight.length) {
      return Integer.compare(length, bLeft.length + bRight.length);
    }
    for (int i = 0; i < length; i++) {
      int difference = character(aLeft, aRight, i) - character(bLeft, bRight, i);
      if (difference != 0) return difference;
    }
    return Integer.compare(aLeft.length, bLeft.length);
  }

  private static int character(int[] left, int[] right, int index) {
    return index < left.length ? left[index] : right[index - left.length];
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
