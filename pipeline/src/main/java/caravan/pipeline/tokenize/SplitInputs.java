package caravan.pipeline.tokenize;

import caravan.pipeline.ChainedDocuments;
import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.StageReport;
import caravan.pipeline.Tagged;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.api.java.JavaRDD;

/**
 * What is tokenized: a corpus that is split by hash, and inputs that are one split as a whole.
 *
 * @param parts the corpus first
 * @param maxBrokenFraction share of the records that may be unreadable, 0 to 1
 */
public record SplitInputs(List<Part> parts, double maxBrokenFraction) {
  /** Split of a part that is split by hash. */
  static final String BY_HASH = "";

  /**
   * @param split {@code validation} or {@code test}; empty: by the hash of each text
   * @param documents readers, which give the same documents each time they are used
   */
  public record Part(String split, Inputs inputs, JavaRDD<DocumentIterator> documents) {}

  public SplitInputs {
    parts = List.copyOf(parts);
  }

  /** A corpus that is split by hash. */
  public static SplitInputs of(
      Inputs inputs, JavaRDD<DocumentIterator> documents, double maxBrokenFraction) {
    return new SplitInputs(List.of(new Part(BY_HASH, inputs, documents)), maxBrokenFraction);
  }

  /** The same, and an input that is one split as a whole. */
  public SplitInputs with(String split, Inputs inputs, JavaRDD<DocumentIterator> documents) {
    List<Part> more = new ArrayList<>(parts);
    more.add(new Part(split, inputs, documents));
    return new SplitInputs(more, maxBrokenFraction);
  }

  /** What the manifest records. */
  List<Manifest.Input> fingerprints() {
    return parts.stream().flatMap(part -> part.inputs().fingerprints().stream()).toList();
  }

  /**
   * What the corpus holds per source and language, in characters: known before it is read when it
   * is stage outputs, whose manifests say it; else empty.
   */
  Optional<List<Mixture.Group>> groups() {
    Inputs corpus = parts.get(0).inputs();
    if (!corpus.areStageOutputs()) {
      return Optional.empty();
    }
    Map<List<String>, Long> sizes = new TreeMap<>(Comparator.comparing(List::toString));
    for (Inputs.Root root : corpus.roots()) {
      Object report = root.manifest().orElseThrow().extra().get("report");
      Json.MAPPER.convertValue(report, StageReport.class).groups().stream()
          .filter(g -> g.reason().equals(Documents.KEPT))
          .forEach(g -> sizes.merge(List.of(g.source(), g.language()), g.characters(), Long::sum));
    }
    return Optional.of(
        sizes.entrySet().stream()
            .map(e -> new Mixture.Group(e.getKey().get(0), e.getKey().get(1), e.getValue()))
            .toList());
  }

  /** Readers of the inputs that are this split as a whole. */
  List<JavaRDD<DocumentIterator>> heldOut(String split) {
    return parts.stream().filter(part -> part.split().equals(split)).map(Part::documents).toList();
  }

  /**
   * @param unreadable records that count against {@code maxBrokenFraction}
   * @throws IllegalArgumentException when they are too many
   */
  void checkUnreadable(long unreadable, long records) {
    String specs = parts.stream().map(p -> p.inputs().spec()).collect(Collectors.joining(", "));
    UnreadableRecords.check(specs, unreadable, records, maxBrokenFraction, this::example);
  }

  /** Path and fault of the first broken record of each task, the first of those by path and id. */
  private String example() {
    return parts.stream()
        .flatMap(part -> part.documents().mapPartitions(SplitInputs::broken).collect().stream())
        .min(Comparator.comparing((String[] record) -> record[0]).thenComparing(r -> r[1]))
        .map(record -> record[0] + ": " + record[2])
        .orElseThrow();
  }

  private static Iterator<String[]> broken(Iterator<DocumentIterator> readers) {
    Iterator<Document> documents = ChainedDocuments.of(readers);
    String[] first = null;
    while (documents.hasNext()) {
      Document d = documents.next();
      Optional<Tagged> tagged =
          Documents.taggedIfUnreadable(d).filter(t -> Documents.isBroken(t.reason()));
      if (tagged.isEmpty()) continue;
      String[] record = {d.path(), d.id(), tagged.get().detail()};
      if (first == null || (d.path() + "\0" + d.id()).compareTo(first[0] + "\0" + first[1]) < 0) {
        first = record;
      }
    }
    return first == null ? List.<String[]>of().iterator() : List.<String[]>of(first).iterator();
  }
}
