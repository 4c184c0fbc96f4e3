package caravan.pipeline.tokenize;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Learns a SentencePiece vocabulary's pieces by byte pair encoding ({@link MergeLearner}) from
 * distinct segments with counts ({@link SegmentCounts}).
 */
final class BpeTrainer {
  private BpeTrainer() {}

  /**
   * Learns pieces of two characters and more, in the order of their merges.
   *
   * @param alphabet characters that merges begin with
   * @param wanted pieces to learn
   * @param least occurrences below which nothing is merged, at least 1
   * @return as many as wanted, or fewer if no pair occurs so often
   */
  static List<String> learn(
      SegmentCounts segments, Alphabet alphabet, TokenizerConfig config, int wanted, long least) {
    List<int[]> symbols = new ArrayList<>();
    Map<Integer, Integer> numberOf = new HashMap<>();
    for (int character : alphabet.characters()) {
      numberOf.put(character, symbols.size());
      symbols.add(new int[] {character});
    }
    Set<String> reserved = config.symbols();
    MergeLearner learner =
        new MergeLearner(
            symbols,
            new SymbolStream(segments, c -> numberOf.getOrDefault(c, SymbolStream.BREAK)),
            new PieceRules(config.maxPieceLength(), config.splitDigits()),
            text -> !reserved.contains(text));
    List<String> merges = new ArrayList<>();
    while (merges.size() < wanted) {
      Optional<String> merge = learner.next(least);
      if (merge.isEmpty()) break;
      merges.add(merge.get());
    }
    return merges;
  }
}
