package caravan.jobs;

import caravan.jobs.audit.Excerpt;
import caravan.jobs.report.Contamination;
import caravan.jobs.report.DecontaminatePage;
import caravan.pipeline.Storage;
import caravan.pipeline.decontaminate.ContaminationReport;
import caravan.pipeline.decontaminate.ContaminationReport.Line;
import caravan.pipeline.decontaminate.DecontaminateConfig;
import caravan.pipeline.decontaminate.ItemIndex;
import caravan.pipeline.decontaminate.ItemIndexer;
import caravan.pipeline.read.ReadConfig;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Tells whether a text, or evaluation items, are in a corpus; writes no documents. */
@Command(
    name = "find",
    customSynopsis = {
      "caravan find TEXT input=DIR [output=DIR] [OPTIONS] [KEY=VALUE...]",
      "caravan find decontaminate.items=FILES input=DIR [output=DIR] [OPTIONS] [KEY=VALUE...]"
    },
    description =
        "is this text, or are these evaluation items, in the corpus? In which documents, and how much of each; output=… also report.html")
final class FindJob extends Job<FindJob.Config> {
  /** Items that are printed. */
  private static final int PRINTED = 20;

  private static final int EXCERPT = 100;

  /**
   * @param text to look for, in place of {@code decontaminate.items}
   * @param output where to write contamination.jsonl and report.html
   */
  record Config(
      Optional<String> text,
      List<String> input,
      Optional<String> output,
      ReadConfig read,
      DecontaminateConfig decontaminate) {}

  FindJob() {
    super(Config.class, "text");
  }

  @Override
  protected int run(Config config) {
    try (SparkSession spark = openSpark("find")) {
      Corpus corpus = Corpus.open(spark, config.input(), config.read());
      Broadcast<ItemIndex> index =
          new JavaSparkContext(spark.sparkContext()).broadcast(index(spark, config));
      ContaminationReport report = ContaminationReport.of(corpus.reader().documents(spark), index);
      print(contamination(corpus, config, report));
    }
    return Caravan.DONE;
  }

  private static ItemIndex index(SparkSession spark, Config config) {
    DecontaminateConfig settings = config.decontaminate();
    if (config.text().isEmpty()) {
      Corpus items = DecontaminateJob.items(spark, settings, config.read());
      return new ItemIndexer(settings).of(items.reader().documents(spark));
    }
    if (!settings.items().isEmpty()) {
      throw new IllegalArgumentException(
          "text: got a text and decontaminate.items=%s, wanted one of the two"
              .formatted(settings.items()));
    }
    return new ItemIndexer(settings).of("the text", config.text().get());
  }

  private static Contamination contamination(
      Corpus corpus, Config config, ContaminationReport report) {
    if (config.output().isEmpty()) {
      Contamination contamination = new Contamination(PRINTED);
      report.forEach(contamination);
      return contamination;
    }
    String output = config.output().get();
    Storage storage = new Storage(corpus.spark().sparkContext().hadoopConfiguration());
    if (storage.exists(new Path(output, "manifest.json"))) {
      throw new IllegalArgumentException(
          "output %s: holds the output of another command; choose another".formatted(output));
    }
    return StagePages.contamination(
        corpus, config.decontaminate(), Optional.empty(), report, output);
  }

  private static void print(Contamination contamination) {
    List<Line> most = contamination.most();
    for (Line line : most.subList(0, Math.min(PRINTED, most.size()))) {
      System.out.printf(
          "%s%s: %s of its %,d units in one document; %,d documents%n",
          line.item(),
          line.file().isEmpty() ? "" : " of " + line.file(),
          DecontaminatePage.share(line.share()),
          line.units(),
          line.documents());
      line.examples()
          .forEach(
              e ->
                  System.out.printf(
                      "    %s of %s, character %,d: %s%n",
                      e.document(), e.source(), e.character(), Excerpt.line(e.text(), EXCERPT)));
    }
    System.out.printf("find: %s%n", contamination.said());
  }
}
