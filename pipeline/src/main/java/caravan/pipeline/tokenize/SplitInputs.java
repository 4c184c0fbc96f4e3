package caravan.pipeline.tokenize;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.StageReport;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

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
   * @param documents rows of {@link Documents#SCHEMA}
   */
  public record Part(String split, Inputs inputs, Dataset<Row> documents) {}

  public SplitInputs {
    parts = List.copyOf(parts);
  }

  /** A corpus that is split by hash. */
  public static SplitInputs of(Inputs inputs, Dataset<Row> documents, double maxBrokenFraction) {
    return new SplitInputs(List.of(new Part(BY_HASH, inputs, documents)), maxBrokenFraction);
  }

  /** The same, and an input that is one split as a whole. */
  public SplitInputs with(String split, Inputs inputs, Dataset<Row> documents) {
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

  /** All records; {@code given} is the split that their part is, {@code readable} as it says. */
  Dataset<Row> records() {
    return parts.stream()
        .map(
            part ->
                part.documents()
                    .select(
                        col("id"),
                        col("source"),
                        col("language"),
                        col("text"),
                        lit(part.split()).as("given"),
                        Documents.unreadableReason().isNull().as("readable")))
        .reduce(Dataset::union)
        .orElseThrow();
  }

  /** Texts of the inputs that are this split as a whole. */
  Optional<Dataset<Row>> texts(String split) {
    return parts.stream()
        .filter(part -> part.split().equals(split))
        .map(part -> part.documents().filter(Documents.unreadableReason().isNull()).select("text"))
        .reduce(Dataset::union);
  }

  /**
   * @throws IllegalArgumentException when too many records are unreadable
   */
  void checkUnreadable(long unreadable, long records) {
    if (unreadable <= maxBrokenFraction * records) {
      return;
    }
    Row example =
        parts.stream()
            .map(
                part ->
                    part.documents()
                        .select(
                            col("path"),
                            col("id"),
                            Documents.unreadableReason().as("reason"),
                            coalesce(Documents.unreadableDetail(), lit("")).as("detail"))
                        .filter(col("reason").isNotNull()))
            .reduce(Dataset::union)
            .orElseThrow()
            .orderBy("path", "id")
            .first();
    throw new IllegalArgumentException(
        "input %s: %,d of %,d records are unreadable, wanted at most %s of them; for example %s: %s. Check read.format and the field names, or raise read.max-broken-fraction"
            .formatted(
                parts.stream().map(p -> p.inputs().spec()).collect(Collectors.joining(", ")),
                unreadable,
                records,
                maxBrokenFraction,
                example.getString(0),
                example.getString(3)));
  }
}
