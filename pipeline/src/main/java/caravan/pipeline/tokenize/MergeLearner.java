package caravan.pipeline.tokenize;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Byte pair encoding's learning loop (Sennrich, Haddow and Birch, 2016, arXiv 1508.07909, section
 * 3.2): the most frequent pair of neighbouring symbols becomes a symbol, again and again. Of
 * equally frequent pairs the shorter goes first, then the one first in code point order.
 *
 * <p>Pair counts are kept up to date at the places where a merge happens, and the next pair comes
 * from a heap whose outdated entries are put back with their true count.
 */
final class MergeLearner {
  private final Predicate<String> accepts;
  private final Map<String, Integer> symbolOf = new HashMap<>();
  private final List<int[]> symbols = new ArrayList<>();
  private final PairTable pairs;
  private final SymbolStream stream;
  private final PriorityQueue<Candidate> heap;

  private record Candidate(int pair, long count) {}

  /**
   * @param symbols code points of each symbol that the stream is written in; its number is its
   *     place
   * @param stream the text to learn from; it is changed
   * @param rules which two symbols may be one
   * @param accepts asked with the text of a merge that would be a new symbol; where it says no, the
   *     pair is passed over until it is seen at new places
   */
  MergeLearner(
      List<int[]> symbols, SymbolStream stream, PieceRules rules, Predicate<String> accepts) {
    this.stream = stream;
    this.accepts = accepts;
    symbols.forEach(this::addSymbol);
    pairs =
        new PairTable(
            (left, right) -> rules.mayBePiece(this.symbols.get(left), this.symbols.get(right)));
    heap = new PriorityQueue<>(this::compare);
    countPairs();
  }

  /** The next new symbol's text; empty when no pair is left. */
  Optional<String> next() {
    return next(1);
  }

  /** The next new symbol's text; empty when no pair occurs so often. */
  Optional<String> next(long least) {
    while (true) {
      int pair = mostFrequent();
      if (pair < 0 || pairs.count(pair) < least) return Optional.empty();
      int[] both = join(symbols.get(pairs.left(pair)), symbols.get(pairs.right(pair)));
      String text = text(both);
      Integer known = symbolOf.get(text);
      if (known != null) {
        // Other parts have given the same text before.
        merge(pair, known);
      } else if (accepts.test(text)) {
        merge(pair, addSymbol(both));
        return Optional.of(text);
      } else {
        pairs.take(pair);
      }
    }
  }

  private void countPairs() {
    int position = 1;
    while (position < stream.length()) {
      int left = stream.at(position);
      int next = position + (left < 0 ? 1 : symbols.get(left).length);
      int right = next < stream.length() ? stream.at(next) : SymbolStream.BREAK;
      if (left >= 0 && right >= 0) {
        int pair = pairs.find(left, right);
        if (pair >= 0) pairs.add(pair, position, stream.weight(position));
      }
      position = next;
    }
    for (int pair = 0; pair < pairs.size(); pair++) {
      heap.add(new Candidate(pair, pairs.count(pair)));
    }
  }

  /** The most frequent pair, or -1. */
  private int mostFrequent() {
    while (!heap.isEmpty()) {
      Candidate candidate = heap.poll();
      long count = pairs.count(candidate.pair);
      if (count == candidate.count && count > 0) return candidate.pair;
      if (count > 0 && count < candidate.count) heap.add(new Candidate(candidate.pair, count));
    }
    return -1;
  }

  private void merge(int pair, int merged) {
    int left = pairs.left(pair);
    int right = pairs.right(pair);
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
      stream.put(position, end, merged);
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

  private int addSymbol(int[] characters) {
    symbolOf.put(text(characters), symbols.size());
    symbols.add(characters);
    return symbols.size() - 1;
  }

  private static int[] join(int[] left, int[] right) {
    int[] both = Arrays.copyOf(left, left.length + right.length);
    System.arraycopy(right, 0, both, left.length, right.length);
    return both;
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
}
