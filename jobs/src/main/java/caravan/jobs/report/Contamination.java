package caravan.jobs.report;

import caravan.pipeline.decontaminate.ContaminationReport.Line;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.function.Consumer;

/** Adds up the lines of a contamination report, and keeps those that most is shared of. */
public final class Contamination implements Consumer<Line> {
  /** By share, then by documents; the best line comes first. */
  private static final Comparator<Line> BEST =
      Comparator.comparingDouble((Line line) -> -line.share())
          .thenComparingLong(line -> -line.documents());

  private final int shown;
  private final Map<String, Tally> files = new LinkedHashMap<>();
  private final Tally all = new Tally();
  private final PriorityQueue<Line> worst = new PriorityQueue<>(BEST.reversed());

  /** Items of a file, or of all. */
  static final class Tally {
    long items;
    long found;
    long whole;
    long tooShort;
    long common;

    private void add(Line line) {
      items++;
      found += line.documents() > 0 ? 1 : 0;
      whole += line.share() == 1 ? 1 : 0;
      tooShort += line.ngrams() == 0 && line.commonNgrams() == 0 ? 1 : 0;
      common += line.ngrams() == 0 && line.commonNgrams() > 0 ? 1 : 0;
    }
  }

  /**
   * @param shown lines to keep
   */
  public Contamination(int shown) {
    this.shown = shown;
  }

  @Override
  public void accept(Line line) {
    all.add(line);
    files.computeIfAbsent(line.file(), file -> new Tally()).add(line);
    if (line.documents() > 0) {
      worst.add(line);
      if (worst.size() > shown) {
        worst.remove();
      }
    }
  }

  Tally all() {
    return all;
  }

  Map<String, Tally> files() {
    return files;
  }

  /** Items that are in the corpus, those that most is shared of first. */
  public List<Line> most() {
    List<Line> lines = new ArrayList<>(worst);
    lines.sort(BEST.thenComparing(Line::file).thenComparing(Line::item));
    return lines;
  }

  /** In one sentence. */
  public String said() {
    String common =
        all.common == 0
            ? ""
            : "; %,d have only n-grams that many items share".formatted(all.common);
    return "%,d of %,d items are in the corpus, in part or whole, %,d as a whole in one document; %,d are too short to look for%s"
        .formatted(all.found, all.items, all.whole, all.tooShort, common);
  }
}
