package caravan.pipeline.dedup;

import caravan.pipeline.Json;
import java.util.List;

/**
 * What one run added to a {@link DedupIndex}.
 *
 * @param name of its input: equal for equal files, wherever they lie
 * @param input as it was given
 * @param output of the run, whose next run replaces this part
 * @param settings hash of what decided the run, the parts before this one included
 * @param earlier hash of the parts before this one
 * @param contentHash equal for equal entries, whatever the file names and partitioning
 * @param texts different texts that no earlier part has
 * @param files all of them
 */
record IndexPart(
    String name,
    String input,
    String output,
    String settings,
    String earlier,
    String contentHash,
    long texts,
    List<IndexFile> files) {

  /** The hash of a part's content, from sums over its entries. */
  static String contentHash(long texts, long[] sums) {
    return Json.sha256(List.of(texts, sums[0], sums[1]));
  }

  /** This run's part with other content. */
  IndexPart with(String before, long texts, long[] sums, List<IndexFile> files) {
    return new IndexPart(
        name, input, output, settings, before, contentHash(texts, sums), texts, List.copyOf(files));
  }

  long bytes() {
    return files.stream().mapToLong(IndexFile::bytes).sum();
  }
}
