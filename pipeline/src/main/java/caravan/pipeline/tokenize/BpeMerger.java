package caravan.pipeline.tokenize;

import java.util.Arrays;

/**
 * Byte pair encoding's merges over a run of symbols: again and again the neighbours whose merge has
 * the lowest rank, of equal ranks the leftmost, until no two merge. This is SentencePiece's agenda
 * (bpe_model.cc), tiktoken's and Hugging Face's order.
 *
 * <p>Short runs look for the next merge by eye; long ones by a heap of rank and position, whose
 * stale entries are passed over, in O(n log n) time and 20 bytes a symbol. Keeps its memory from
 * run to run; not thread-safe.
 */
final class BpeMerger {
  /** Longer runs are merged by heap. */
  static final int SHORT_RUN = 32;

  /** Is told every pair that comes to stand side by side and could merge. */
  interface Pairs {
    void met(int left, int right, int merged);
  }

  private final PairMerges table;
  private final Pairs pairs;
  private long[] merges = new long[2 * SHORT_RUN];
  private int[] next = new int[0];
  private int[] previous = new int[0];
  private long[] heap = new long[0];
  private int heapSize;

  BpeMerger(PairMerges table) {
    this(table, null);
  }

  /**
   * @param pairs listens, in the order of SentencePiece's agenda; null: nobody does
   */
  BpeMerger(PairMerges table, Pairs pairs) {
    this.table = table;
    this.pairs = pairs;
  }

  /**
   * Merges in place.
   *
   * @param symbols the run, at its start
   * @return the number of symbols left, at the start of {@code symbols}
   */
  int merge(int[] symbols, int count) {
    return count <= SHORT_RUN ? mergeShort(symbols, count) : mergeLong(symbols, count);
  }

  private int mergeShort(int[] symbols, int count) {
    for (int i = 0; i < count - 1; i++) merges[i] = look(symbols[i], symbols[i + 1]);
    int n = count;
    while (true) {
      int at = -1;
      long best = PairMerges.NONE >>> 32;
      for (int i = 0; i < n - 1; i++) {
        long rank = merges[i] >>> 32;
        if (rank < best) {
          best = rank;
          at = i;
        }
      }
      if (at < 0) return n;
      symbols[at] = (int) merges[at];
      n--;
      for (int i = at + 1; i < n; i++) {
        symbols[i] = symbols[i + 1];
        merges[i - 1] = merges[i];
      }
      if (at > 0) merges[at - 1] = look(symbols[at - 1], symbols[at]);
      if (at < n - 1) merges[at] = look(symbols[at], symbols[at + 1]);
    }
  }

  private int mergeLong(int[] symbols, int count) {
    reserve(count);
    heapSize = 0;
    for (int i = 0; i < count; i++) {
      previous[i] = i - 1;
      next[i] = i + 1;
      queue(symbols, i, i + 1 < count ? i + 1 : -1);
    }
    next[count - 1] = -1;
    while (heapSize > 0) {
      long top = pop();
      int at = (int) top;
      // Stale where a neighbour has changed since; a pair of the same rank in its place is as good.
      if (merges[at] == PairMerges.NONE || merges[at] >>> 32 != top >>> 32) continue;
      int right = next[at];
      symbols[at] = (int) merges[at];
      merges[right] = PairMerges.NONE;
      next[at] = next[right];
      if (next[at] >= 0) previous[next[at]] = at;
      if (previous[at] >= 0) queue(symbols, previous[at], at);
      queue(symbols, at, next[at]);
    }
    int n = 0;
    for (int i = 0; i >= 0; i = next[i]) symbols[n++] = symbols[i];
    return n;
  }

  /** Notes the merge of a symbol with the one after it; -1: there is none. */
  private void queue(int[] symbols, int left, int right) {
    long merge = right < 0 ? PairMerges.NONE : look(symbols[left], symbols[right]);
    merges[left] = merge;
    if (merge != PairMerges.NONE) push(merge & 0xFFFFFFFF00000000L | left);
  }

  private long look(int left, int right) {
    long merge = table.of(left, right);
    if (pairs != null && merge != PairMerges.NONE) pairs.met(left, right, (int) merge);
    return merge;
  }

  private void reserve(int count) {
    if (count > merges.length || count > next.length) {
      int size = Math.max(count, Math.min(2 * count, 1 << 16));
      merges = new long[size];
      next = new int[size];
      previous = new int[size];
    }
  }

  private void push(long entry) {
    if (heapSize == heap.length) heap = Arrays.copyOf(heap, Math.max(64, heapSize * 3 / 2));
    int at = heapSize++;
    while (at > 0 && heap[at - 1 >>> 1] > entry) {
      heap[at] = heap[at - 1 >>> 1];
      at = at - 1 >>> 1;
    }
    heap[at] = entry;
  }

  private long pop() {
    long top = heap[0];
    long last = heap[--heapSize];
    int at = 0;
    while (true) {
      int child = 2 * at + 1;
      if (child >= heapSize) break;
      if (child + 1 < heapSize && heap[child + 1] < heap[child]) child++;
      if (heap[child] >= last) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
