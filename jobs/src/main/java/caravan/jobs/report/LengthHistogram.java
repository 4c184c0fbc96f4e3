package caravan.jobs.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Counts documents by length, in classes that double: 1, 2–3, 4–7, 8–15 … tokens. */
public final class LengthHistogram {
  private final long[] counts = new long[Long.SIZE];

  /**
   * @param tokens length of one document, at least 1
   */
  public void add(long tokens) {
    if (tokens < 1) {
      throw new IllegalArgumentException("document length: got " + tokens + ", wanted at least 1");
    }
    counts[Long.SIZE - 1 - Long.numberOfLeadingZeros(tokens)]++;
  }

  /** From the shortest class that occurs to the longest. */
  List<BarChart.Bar> bars() {
    List<BarChart.Bar> bars = new ArrayList<>();
    int last = Long.SIZE - 1;
    while (last >= 0 && counts[last] == 0) {
      last--;
    }
    for (int i = 0; i <= last; i++) {
      if (counts[i] > 0 || !bars.isEmpty()) {
        String range = i == 0 ? "1" : String.format(Locale.ROOT, "%,d–%,d", 1L << i, (2L << i) - 1);
        bars.add(new BarChart.Bar(range + " tokens", counts[i]));
      }
    }
    return bars;
  }
}
