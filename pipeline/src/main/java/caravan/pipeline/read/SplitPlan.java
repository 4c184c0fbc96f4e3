package caravan.pipeline.read;

import caravan.pipeline.SourceFile;
import caravan.pipeline.Split;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Cuts files into splits, around those that are done. */
final class SplitPlan {
  /** Stored bytes of a slice: each task that takes one reads all of the file. */
  private static final long SLICE_BYTES = 8L << 20;

  private static final int MAX_SLICES = 16;

  private final Map<String, List<Split>> done = new HashMap<>();
  private final long bytes;

  /**
   * @param bytes wanted size of a split
   */
  SplitPlan(List<Split> done, long bytes) {
    this.bytes = bytes;
    done.forEach(s -> this.done.computeIfAbsent(key(s.file()), k -> new ArrayList<>()).add(s));
  }

  private static String key(SourceFile file) {
    return file.source() + "\0" + file.relativePath() + "\0" + file.fingerprint();
  }

  List<Split> of(SourceFile file, SplitFormat.Cut cut) {
    List<Split> there = done.getOrDefault(key(file), List.of());
    return switch (cut) {
      case BYTES -> ranges(file, there);
      case SLICES -> slices(file, there);
      case NONE -> there.isEmpty() ? List.of(Split.whole(file)) : List.of();
    };
  }

  private List<Split> ranges(SourceFile file, List<Split> there) {
    List<Split> splits = new ArrayList<>();
    long at = 0;
    for (Split split : there.stream().sorted(Comparator.comparing(Split::start)).toList()) {
      cut(file, at, split.start(), splits);
      at = split.end();
    }
    cut(file, at, file.size(), splits);
    return splits;
  }

  /** Equal pieces of at most {@code bytes}. */
  private void cut(SourceFile file, long start, long end, List<Split> splits) {
    long pieces = end == start ? 0 : (end - start - 1) / bytes + 1;
    for (long i = 0; i < pieces; i++) {
      long from = start + (end - start) * i / pieces;
      long to = start + (end - start) * (i + 1) / pieces;
      splits.add(new Split(file, from, to, 0, 1));
    }
  }

  /** The number of slices depends on the file alone, so that slices of different runs fit. */
  private static List<Split> slices(SourceFile file, List<Split> there) {
    int slices = (int) Math.max(1, Math.min(MAX_SLICES, file.size() / SLICE_BYTES));
    List<Split> splits = new ArrayList<>();
    for (int slice = 0; slice < slices; slice++) {
      int number = slice;
      if (there.stream().noneMatch(s -> s.slice() == number)) {
        splits.add(new Split(file, 0, file.size(), slice, slices));
      }
    }
    return splits;
  }
}
