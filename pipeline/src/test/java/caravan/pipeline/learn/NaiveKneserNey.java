package caravan.pipeline.learn;

import caravan.pipeline.text.Words;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Modified Kneser-Ney as the formula has it, on n-grams as lists, every sum taken anew: the oracle.
 */
final class NaiveKneserNey {
  private static final long START = -1;

  private final int order;
  private final int minCount;
  private final Set<Long> vocabulary;

  /** Occurrences and c, by n-gram. */
  private final Map<List<Long>, Long> occurrences = new HashMap<>();

  private final Map<List<Long>, Set<Long>> before = new HashMap<>();

  /**
   * @param texts units; each of them is in the vocabulary
   */
  NaiveKneserNey(List<List<Long>> texts, Set<Long> vocabulary, int order, int minCount) {
    this.order = order;
    this.minCount = minCount;
    this.vocabulary = vocabulary;
    for (List<Long> text : texts) {
      for (int end = 1; end <= text.size(); end++) {
        for (int length = 1; length <= Math.min(order, end); length++) {
          List<Long> ngram = List.copyOf(text.subList(end - length, end));
          occurrences.merge(ngram, 1L, Long::sum);
          long left = end == length ? START : text.get(end - length - 1);
          before.computeIfAbsent(ngram, n -> new HashSet<>()).add(left);
        }
      }
    }
  }

  private long count(List<Long> ngram) {
    if (!occurrences.containsKey(ngram)) {
      return 0;
    }
    return ngram.size() == order ? occurrences.get(ngram) : before.get(ngram).size();
  }

  private double discount(int length, long count) {
    long[] n = new long[5];
    occurrences.keySet().stream()
        .filter(ngram -> ngram.size() == length)
        .forEach(ngram -> n[(int) Math.min(5, count(ngram)) - 1]++);
    double y = n[0] / (n[0] + 2.0 * n[1]);
    double[] d = {1 - 2 * y * n[1] / n[0], 2 - 3 * y * n[2] / n[1], 3 - 4 * y * n[3] / n[2]};
    for (int i = 0; i < 3; i++) {
      if (!(d[i] >= 0 && d[i] <= i + 1)) {
        d = new double[] {0.5, 1, 1.5};
      }
    }
    return d[(int) Math.min(3, count) - 1];
  }

  private boolean isKept(List<Long> ngram) {
    return count(ngram) > 0 && (ngram.size() == 1 || occurrences.get(ngram) >= minCount);
  }

  private static List<Long> with(List<Long> context, long unit) {
    List<Long> ngram = new ArrayList<>(context);
    ngram.add(unit);
    return ngram;
  }

  /** p(unit | context); the context is no longer than order − 1; 0 is the unknown unit. */
  double probability(List<Long> context, long unit) {
    long total = vocabulary.stream().mapToLong(w -> count(with(context, w))).sum();
    double below =
        context.isEmpty()
            ? 1.0 / (vocabulary.size() + 1)
            : probability(context.subList(1, context.size()), unit);
    if (total == 0) {
      return below;
    }
    double kept = vocabulary.stream().mapToDouble(w -> discounted(with(context, w))).sum() / total;
    return discounted(with(context, unit)) / total + (1 - kept) * below;
  }

  private double discounted(List<Long> ngram) {
    return isKept(ngram) ? count(ngram) - discount(ngram.size(), count(ngram)) : 0;
  }

  static List<Long> units(String text, Set<Long> vocabulary) {
    Words words = Words.of(text);
    List<Long> units = new ArrayList<>();
    for (int i = 0; i < words.count(); i++) {
      units.add(vocabulary.contains(words.hash(i)) ? words.hash(i) : 0);
    }
    return units;
  }
}
