package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The characters that get a piece of their own, most frequent first; all others become bytes. */
final class Alphabet implements Serializable {
  private static final long serialVersionUID = 1;

  private final List<Integer> characters;
  private final List<Long> counts;
  private final BitSet known = new BitSet();

  private Alphabet(List<Integer> characters, List<Long> counts) {
    this.characters = List.copyOf(characters);
    this.counts = List.copyOf(counts);
    characters.forEach(known::set);
  }

  /**
   * The most frequent characters, up to the coverage, and the space in any case. Of equally
   * frequent ones the first in code point order go first.
   *
   * @param counts how often each code point occurs
   * @param coverage share of all occurrences that the characters must reach, 0 to 1
   * @param reserved texts that are pieces of another kind
   */
  static Alphabet of(Map<Integer, Long> counts, double coverage, Set<String> reserved) {
    long all = counts.values().stream().mapToLong(Long::longValue).sum();
    List<Integer> byCount = new ArrayList<>(counts.keySet());
    byCount.sort(
        Comparator.<Integer>comparingLong(counts::get)
            .reversed()
            .thenComparing(Comparator.naturalOrder()));
    List<Integer> covered = new ArrayList<>();
    long sum = 0;
    for (int character : byCount) {
      if (sum >= coverage * all) break;
      sum += counts.get(character);
      covered.add(character);
    }
    if (!covered.contains(PieceRules.SPACE)) covered.add(PieceRules.SPACE);
    covered.removeIf(character -> reserved.contains(Character.toString(character)));
    return new Alphabet(covered, covered.stream().map(c -> counts.getOrDefault(c, 1L)).toList());
  }

  /** Code points, most frequent first. */
  List<Integer> characters() {
    return characters;
  }

  /** How often the character of the same index occurs, at least 1. */
  List<Long> counts() {
    return counts;
  }

  int size() {
    return characters.size();
  }

  boolean contains(int character) {
    return known.get(character);
  }
}
