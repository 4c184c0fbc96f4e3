package caravan.pipeline.decontaminate;

import caravan.pipeline.text.Words;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.BitSet;
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
 * <p>An n-gram that more items hold than a bound is no sign of any of them, but the form that their
 * questions share; it is left out.
 *
 * <p>N-grams are compared by 64-bit hashes: among a million n-grams of items and 10^12 of a corpus
 * a false match has a chance of 5 %. They lie sorted in two arrays, {@value #NGRAM_BYTES} bytes for
 * each with the filter before them; the items' texts are not kept.
 */
public final class ItemIndex implements Serializable {
  /** Bytes that an n-gram takes: hash, place, and its share of the filter. */
  static final int NGRAM_BYTES = 20;

  /** Bytes that an item takes, but for its id. */
  static final int ITEM_BYTES = 16;

  /**
   * A passage of a text that an item holds, too.
   *
   * @param item number of the item
   * @param start index in chars
   * @param end index in chars after the passage
   * @param ngrams of the item that lie in it
   * @param units which of the item's units they cover
   */
  public record Match(int item, int start, int end, int ngrams, BitSet units) {
    private Match longer(int newEnd) {
      return new Match(item, start, newEnd, ngrams + 1, units);
    }
  }

  private final ItemTable items;
  private final int maxItemsPerNgram;
  private final int[] ngrams;
  private final int[] common;
  private final int[] lengths;
  private final long[] hashes;
  private final long[] places;
  private final long[] filter;

  /**
   * @param items all items
   * @param hashes of all n-grams, in any order; sorted here
   * @param places of the same n-grams
   */
  ItemIndex(ItemTable items, int ngramUnits, int maxItemsPerNgram, long[] hashes, long[] places) {
    this.items = items;
    this.maxItemsPerNgram = maxItemsPerNgram;
    this.ngrams = new int[items.count()];
    this.common = new int[items.count()];
    PairSort.sort(hashes, places);
    this.hashes = hashes;
    this.places = places;
    TreeSet<Integer> used = new TreeSet<>();
    this.filter = new long[Math.max(1, Integer.highestOneBit(hashes.length) / 2)];
    for (int from = 0; from < hashes.length; ) {
      int to = endOfRun(from);
      boolean shared = holders(from, to) > maxItemsPerNgram;
      for (int i = from; i < to; i++) {
        (shared ? common : ngrams)[ItemPart.item(places[i])]++;
        used.add(Math.min(ngramUnits, items.units(ItemPart.item(places[i]))));
      }
      if (!shared) {
        filter[slot(hashes[from])] |= 1L << hashes[from];
      }
      from = to;
    }
    this.lengths = used.stream().mapToInt(Integer::intValue).toArray();
  }

  private int endOfRun(int from) {
    int to = from + 1;
    while (to < hashes.length && hashes[to] == hashes[from]) {
      to++;
    }
    return to;
  }

  /** Different items in a run of equal n-grams. */
  private int holders(int from, int to) {
    int different = 1;
    for (int i = from + 1; i < to; i++) {
      different += ItemPart.item(places[i]) != ItemPart.item(places[i - 1]) ? 1 : 0;
    }
    return different;
  }

  public ItemTable items() {
    return items;
  }

  /** N-grams of an item that are looked for; 0: it is too short, or all of them are common. */
  public int ngrams(int item) {
    return ngrams[item];
  }

  /** N-grams of an item that too many items hold to be looked for. */
  public int common(int item) {
    return common[item];
  }

  /** Passages, by start and then by item; passages of one item do not overlap. */
  public List<Match> matches(String text) {
    Words words = Words.of(text);
    Map<Integer, Match> open = new HashMap<>();
    List<Match> matches = new ArrayList<>();
    for (int length : lengths) {
      long[] grams = Ngram.hashes(words, length);
      for (int at = 0; at < grams.length; at++) {
        if ((filter[slot(grams[at])] & 1L << grams[at]) != 0) {
          int first = first(grams[at]);
          if (first < hashes.length && hashes[first] == grams[at]) {
            int end = words.end(at + length - 1);
            add(first, words.start(at), end, length, open, matches);
          }
        }
      }
    }
    matches.addAll(open.values());
    matches.sort(Comparator.comparingInt(Match::start).thenComparingInt(Match::item));
    return matches;
  }

  /** A passage of one n-gram, for each item that holds it. */
  private void add(
      int first, int start, int end, int length, Map<Integer, Match> open, List<Match> matches) {
    int last = endOfRun(first);
    if (holders(first, last) > maxItemsPerNgram) {
      return;
    }
    int previous = -1;
    for (int i = first; i < last; i++) {
      int item = ItemPart.item(places[i]);
      Match match = open.get(item);
      if (item != previous) {
        if (match != null && start < match.end()) {
          match = match.longer(end);
        } else {
          if (match != null) {
            matches.add(match);
          }
          match = new Match(item, start, end, 1, new BitSet());
        }
        open.put(item, match);
        previous = item;
      }
      match.units().set(ItemPart.unit(places[i]), ItemPart.unit(places[i]) + length);
    }
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
}
