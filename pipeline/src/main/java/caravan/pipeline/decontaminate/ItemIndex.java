package caravan.pipeline.decontaminate;

import caravan.pipeline.text.Words;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * The n-grams of evaluation items, to be found in texts (Brown et al., "Language Models are
 * Few-Shot Learners", 2020, appendix C: 13-grams; whole items where these are shorter). A unit is a
 * Han or kana character or a run of other letters and digits in any case ({@link Words}): what
 * stands between units does not count.
 *
 * <p>N-grams are compared by 64-bit hashes: among a million n-grams of items and 10^12 of a corpus
 * a false match has a chance of 5 %.
 */
public final class ItemIndex implements Serializable {
  private static final long MULTIPLIER = 0x9E3779B97F4A7C15L;

  /**
   * An evaluation item.
   *
   * @param id of its record
   * @param source its file's or directory's name
   */
  public record Item(String id, String source, String text) implements Serializable {}

  /**
   * A passage of a text that an item holds, too.
   *
   * @param item number of the item
   * @param start index in chars
   * @param end index in chars after the passage
   * @param ngrams of the item that lie in it
   */
  public record Match(int item, int start, int end, int ngrams) {}

  private final List<Item> items;
  private final int[] units;
  private final int[] ngrams;
  private final int[] lengths;
  private final long[] hashes;
  private final int[] owners;
  private final long[] filter;

  private ItemIndex(
      List<Item> items, int[] units, int[] ngrams, int[] lengths, long[] hashes, int[] owners) {
    this.items = items;
    this.units = units;
    this.ngrams = ngrams;
    this.lengths = lengths;
    this.hashes = hashes;
    this.owners = owners;
    this.filter = new long[Math.max(1, Integer.highestOneBit(hashes.length) / 2)];
    for (long hash : hashes) {
      filter[slot(hash)] |= 1L << hash;
    }
  }

  /**
   * @param ngramUnits units of an n-gram
   * @param minItemUnits items of fewer units are not looked for
   */
  public static ItemIndex of(List<Item> items, int ngramUnits, int minItemUnits) {
    record Gram(long hash, int item) {}
    int[] units = new int[items.size()];
    int[] ngrams = new int[items.size()];
    TreeSet<Integer> lengths = new TreeSet<>();
    List<Gram> grams = new ArrayList<>();
    for (int item = 0; item < items.size(); item++) {
      Words words = Words.of(items.get(item).text());
      units[item] = words.count();
      if (words.count() < minItemUnits) {
        continue;
      }
      int length = Math.min(ngramUnits, words.count());
      lengths.add(length);
      long[] distinct = Arrays.stream(ngrams(words, length)).sorted().distinct().toArray();
      ngrams[item] = distinct.length;
      for (long hash : distinct) {
        grams.add(new Gram(hash, item));
      }
    }
    grams.sort(Comparator.comparingLong(Gram::hash).thenComparingInt(Gram::item));
    return new ItemIndex(
        List.copyOf(items),
        units,
        ngrams,
        lengths.stream().mapToInt(Integer::intValue).toArray(),
        grams.stream().mapToLong(Gram::hash).toArray(),
        grams.stream().mapToInt(Gram::item).toArray());
  }

  public List<Item> items() {
    return items;
  }

  /** Units of an item. */
  public int units(int item) {
    return units[item];
  }

  /** Different n-grams of an item; 0: it is too short to be looked for. */
  public int ngrams(int item) {
    return ngrams[item];
  }

  /** Passages of a text that items hold, by their start; those of one item do not overlap. */
  public List<Match> matches(String text) {
    Words words = Words.of(text);
    Map<Integer, Match> open = new HashMap<>();
    List<Match> matches = new ArrayList<>();
    for (int length : lengths) {
      long[] grams = ngrams(words, length);
      for (int at = 0; at < grams.length; at++) {
        if ((filter[slot(grams[at])] & 1L << grams[at]) != 0) {
          for (int i = first(grams[at]); i < hashes.length && hashes[i] == grams[at]; i++) {
            int start = words.start(at);
            int end = words.end(at + length - 1);
            Match before = open.get(owners[i]);
            if (before != null && start < before.end()) {
              open.put(owners[i], new Match(owners[i], before.start(), end, before.ngrams() + 1));
            } else {
              if (before != null) {
                matches.add(before);
              }
              open.put(owners[i], new Match(owners[i], start, end, 1));
            }
          }
        }
      }
    }
    matches.addAll(open.values());
    matches.sort(Comparator.comparingInt(Match::start).thenComparingInt(Match::item));
    return matches;
  }

  private int slot(long hash) {
    return (int) (hash >>> 6) & filter.length - 1;
  }

  private int first(long hash) {
    int low = 0;
    int high = hashes.length;
    while (low < high) {
      int middle = low + high >>> 1;
      if (hashes[middle] < hash) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** Hashes of all runs of {@code length} units, in text order. */
  private static long[] ngrams(Words words, int length) {
    long[] grams = new long[Math.max(0, words.count() - length + 1)];
    long oldest = 1;
    for (int i = 1; i < length; i++) {
      oldest *= MULTIPLIER;
    }
    long rolling = 0;
    for (int i = 0; i < words.count(); i++) {
      if (i >= length) {
        rolling -= words.hash(i - length) * oldest;
      }
      rolling = rolling * MULTIPLIER + words.hash(i);
      if (i >= length - 1) {
        grams[i - length + 1] = spread(rolling + length);
      }
    }
    return grams;
  }

  /** MurmurHash3's 64-bit finalizer. */
  private static long spread(long h) {
    h = (h ^ h >>> 33) * 0xFF51AFD7ED558CCDL;
    h = (h ^ h >>> 33) * 0xC4CEB9FE1A85EC53L;
    return h ^ h >>> 33;
  }
}
