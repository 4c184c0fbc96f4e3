package caravan.pipeline.decontaminate;

/** Sorts two arrays of longs together, in place: by the first, then by the second. */
final class PairSort {
  private static final int SMALL = 24;

  private final long[] first;
  private final long[] second;

  private PairSort(long[] first, long[] second) {
    this.first = first;
    this.second = second;
  }

  static void sort(long[] first, long[] second) {
    new PairSort(first, second).sort(0, first.length - 1);
  }

  /** Quicksort; pivots are drawn at a place that no order of the input foresees. */
  private void sort(int from, int to) {
    int low = from;
    int high = to;
    while (high - low >= SMALL) {
      int split = partition(low, high);
      if (split - low < high - split) {
        sort(low, split);
        low = split + 1;
      } else {
        sort(split + 1, high);
        high = split;
      }
    }
    insertionSort(low, high);
  }

  private int partition(int low, int high) {
    long drawn = (low * 0x9E3779B97F4A7C15L ^ high) * 0xBF58476D1CE4E5B9L;
    int pivot = low + (int) ((drawn >>> 33) % (high - low));
    long a = first[pivot];
    long b = second[pivot];
    int i = low - 1;
    int j = high + 1;
    while (true) {
      do {
        i++;
      } while (less(first[i], second[i], a, b));
      do {
        j--;
      } while (less(a, b, first[j], second[j]));
      if (i >= j) {
        return j;
      }
      swap(i, j);
    }
  }

  private void insertionSort(int low, int high) {
    for (int i = low + 1; i <= high; i++) {
      for (int j = i; j > low && less(first[j], second[j], first[j - 1], second[j - 1]); j--) {
        swap(j, j - 1);
      }
    }
  }

  private static boolean less(long a, long b, long otherA, long otherB) {
    return a != otherA ? a < otherA : b < otherB;
  }

  private void swap(int i, int j) {
    long a = first[i];
    long b = second[i];
    first[i] = first[j];
    second[i] = second[j];
    first[j] = a;
    second[j] = b;
  }
}
