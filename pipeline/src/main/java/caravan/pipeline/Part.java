package caravan.pipeline;

import caravan.pipeline.StageReport.Group;
import java.io.Serializable;
import java.util.List;
import java.util.Map;

/**
 * A piece of a stage's output that one task wrote. Of a {@link DocumentStage} it is recorded in
 * {@code parts/} when its files are whole: a later run with the same configuration takes it over.
 *
 * @param name of its files and its record
 * @param configHash what it was made with
 * @param splits what it was made from; empty when one cannot tell
 * @param files relative to the output directory
 * @param groups documents per verdict, source and language
 * @param edits code points that edits took away, per reason
 * @param hash sums of the two halves of every row's hash
 * @param brokenExample an unreadable record, for messages; empty: there is none
 */
record Part(
    String name,
    String configHash,
    List<Split> splits,
    List<Manifest.OutputFile> files,
    List<Group> groups,
    Map<String, Long> edits,
    List<Long> hash,
    String brokenExample)
    implements Serializable {}
