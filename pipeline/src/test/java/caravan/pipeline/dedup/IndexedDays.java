package caravan.pipeline.dedup;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.Tagged;
import caravan.pipeline.TestDocuments;
import caravan.pipeline.TestSpark;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;

/** Days of documents, deduplicated one after the other beside one index. */
final class IndexedDays {
  static final long SEED = 42;

  private final Path directory;
  private final DedupConfig config;
  private Map<String, Long> counts = Map.of();

  IndexedDays(Path directory, DedupConfig config) {
    this.directory = directory;
    this.config = config;
  }

  DedupIndex index() {
    return DedupIndex.open(conf(), directory.resolve("index").toString(), config, SEED);
  }

  /** Id to reason and detail. */
  Map<String, String> run(String day, List<Document> documents) {
    IndexRun run = prepare(day, documents);
    Map<String, String> verdicts =
        verdicts(new DedupStage(config, SEED, Optional.of(run)), documents);
    run.commit();
    return verdicts;
  }

  /** A run whose stage has not begun. */
  IndexRun prepare(String day, List<Document> documents) {
    try {
      Path input = directory.resolve(day + ".txt");
      Files.writeString(input, documents.toString());
      Inputs inputs = Inputs.resolve(conf(), input.toString());
      return index().run(inputs, directory.resolve("out-" + day).toString(), Map.of());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  Map<String, String> verdicts(DedupStage stage, List<Document> documents) {
    Map<String, String> verdicts =
        stage.apply(TestDocuments.readers(documents, 2)).collect().stream()
            .collect(
                Collectors.toMap(
                    t -> t.document().id(), IndexedDays::verdict, (a, b) -> a, TreeMap::new));
    counts = stage.counts();
    return verdicts;
  }

  private static String verdict(Tagged tagged) {
    return (tagged.reason() + " " + tagged.detail()).strip();
  }

  /** Counts of the last run. */
  Map<String, Long> counts() {
    return counts;
  }

  static Set<String> kept(Map<String, String> verdicts) {
    return verdicts.entrySet().stream()
        .filter(verdict -> verdict.getValue().equals(Documents.KEPT))
        .map(Map.Entry::getKey)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  static Configuration conf() {
    return TestSpark.session().sparkContext().hadoopConfiguration();
  }
}
