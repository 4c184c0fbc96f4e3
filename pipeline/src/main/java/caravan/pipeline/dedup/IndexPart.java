package caravan.pipeline.dedup;

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

  long bytes() {
    return files.stream().mapToLong(IndexFile::bytes).sum();
  }
}
