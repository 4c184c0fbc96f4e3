package caravan.jobs.audit;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.DocumentSource;
import caravan.pipeline.Documents;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import caravan.pipeline.clean.Cleaner;
import caravan.pipeline.clean.Story;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import net.openhft.hashing.LongHashFunction;

/**
 * Documents of a raw input, cleaned once more with everything written down. They are the first of
 * some splits of the input, chosen by a hash of their place and spread over the sources, so that a
 * large input costs no more than a small one; the same input and settings give the same sample.
 *
 * @param documents in the order in which they were read
 */
public record CleanSample(List<Told> documents) {
  /** Longer documents are not sampled, in chars. */
  public static final int MAX_CHARS = 100_000;

  /** Chars of the whole sample; about half a second of cleaning. */
  private static final long ALL_CHARS = 1_500_000;

  private static final int DOCUMENTS = 600;
  private static final int SPLITS = 60;
  private static final int MAX_OPENED = 600;
  private static final long SPLIT_BYTES = 256 << 10;
  private static final long MAX_SPLITS = 4000;

  /** A document as it was read, and what became of it. */
  public record Told(Document document, Story story) {
    public boolean isKept() {
      return story.outcome().drop().isEmpty();
    }

    /** Why it went; empty when it stayed. */
    public String reason() {
      return story.outcome().drop().map(drop -> drop.reason()).orElse("");
    }
  }

  /** Reads and explains a sample. */
  public static CleanSample of(DocumentSource source, Storage storage, Cleaner cleaner)
      throws IOException {
    List<Split> splits = chosen(source);
    int each = Math.max(1, DOCUMENTS / Math.max(1, Math.min(SPLITS, splits.size())));
    List<Told> documents = new ArrayList<>();
    long chars = 0;
    for (int i = 0; i < Math.min(splits.size(), MAX_OPENED); i++) {
      try (DocumentIterator rows = source.open(splits.get(i), storage)) {
        for (int taken = 0; taken < each && rows.hasNext(); ) {
          Document document = rows.next();
          boolean tellable =
              document.text().length() <= MAX_CHARS
                  && Documents.taggedIfUnreadable(document).isEmpty();
          if (tellable) {
            documents.add(new Told(document, cleaner.explain(document)));
            chars += document.text().length();
            taken++;
          }
          if (documents.size() >= DOCUMENTS || chars >= ALL_CHARS) {
            return new CleanSample(documents);
          }
        }
      }
    }
    return new CleanSample(documents);
  }

  /** The splits in the order of a hash, the sources taking turns. */
  private static List<Split> chosen(DocumentSource source) {
    long bytes = source.files().stream().mapToLong(file -> file.size()).sum();
    Map<String, List<Split>> bySource = new TreeMap<>();
    source.splits(List.of(), Math.max(SPLIT_BYTES, bytes / MAX_SPLITS)).stream()
        .filter(split -> split.slice() == 0)
        .sorted(Comparator.comparingLong(CleanSample::hash))
        .forEach(
            split ->
                bySource.computeIfAbsent(split.file().source(), s -> new ArrayList<>()).add(split));
    List<Split> chosen = new ArrayList<>();
    for (int turn = 0; bySource.values().stream().anyMatch(s -> !s.isEmpty()); turn++) {
      int now = turn;
      bySource.values().removeIf(splits -> splits.size() <= now);
      bySource.values().forEach(splits -> chosen.add(splits.get(now)));
    }
    return chosen;
  }

  private static long hash(Split split) {
    String place =
        split.file().source() + "\0" + split.file().relativePath() + "\0" + split.start();
    return LongHashFunction.xx3().hashBytes(place.getBytes(StandardCharsets.UTF_8));
  }
}
