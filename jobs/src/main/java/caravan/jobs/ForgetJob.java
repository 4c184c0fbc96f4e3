package caravan.jobs;

import caravan.jobs.audit.Whereabouts;
import caravan.pipeline.dedup.DedupIndex;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Names everything that holds a document, so that it can be forgotten; changes nothing. */
@Command(
    name = "forget",
    customSynopsis = "caravan forget ID output=DIR [index=DIR] [OPTIONS] [KEY=VALUE...]",
    description =
        "one document → which outputs, token shards and checkpoints contain it, and whether an index knows it")
final class ForgetJob extends Job<ForgetJob.Config> {
  /**
   * @param id of the document
   * @param output outputs, directories of outputs, and trainings
   * @param index of dedup
   */
  record Config(String id, List<String> output, Optional<String> index) {}

  ForgetJob() {
    super(Config.class, "id");
  }

  @Override
  protected int run(Config config) {
    try (SparkSession spark = openSpark("forget")) {
      Configuration hadoop = spark.sparkContext().hadoopConfiguration();
      Whereabouts found = Whereabouts.of(spark, config.output(), List.of(config.id()));
      Optional<DedupIndex> index = config.index().map(path -> DedupIndex.open(hadoop, path));
      boolean isIndexed =
          index.filter(i -> !i.known(spark, List.of(config.id())).isEmpty()).isPresent();
      if (found.ids().isEmpty() && !isIndexed) {
        throw new IllegalArgumentException(
            Whereabouts.unknown(spark, config.output(), config.id()));
      }
      line("%s", config.id());
      print(found);
      if (isIndexed) {
        boolean deleted = index.get().isDeleted(config.id());
        line(
            "  index: %s %s",
            deleted ? "deleted, a hash of the id alone is in" : "known to", config.index().get());
      }
    }
    return Caravan.DONE;
  }

  /** Prints where documents are. */
  static void print(Whereabouts found) {
    for (Whereabouts.Place place : found.places()) {
      line(
          "  %s: %s, %s, source %s, read from %s (%s)",
          place.stage().stage(),
          place.id(),
          place.reason() + (place.detail().isEmpty() ? "" : ": " + place.detail()),
          place.source(),
          place.path(),
          place.stage().directory());
    }
    for (Whereabouts.Tokens tokens : found.ranges()) {
      line(
          "  tokens: %s, %s, tokens %d to %d (%s)",
          tokens.id(),
          tokens.range().shard(),
          tokens.range().start(),
          tokens.range().end(),
          tokens.range().directory());
    }
    for (Whereabouts.Checkpoint checkpoint : found.checkpoints()) {
      line(
          "  checkpoint: %s, trained on %s, %s",
          checkpoint.directory(),
          checkpoint.tokens(),
          checkpoint.position() >= checkpoint.sequences()
              ? "all of it"
              : "%,d of its %,d sequences in random order"
                  .formatted(checkpoint.position(), checkpoint.sequences()));
    }
    if (!found.checkpoints().isEmpty()) {
      line("  What was fine-tuned or exported from these checkpoints holds it too.");
    }
  }

  private static void line(String format, Object... values) {
    System.out.printf(Locale.ROOT, format + "%n", values);
  }
}
