package caravan.jobs;

import caravan.jobs.report.Contamination;
import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import caravan.pipeline.decontaminate.ContaminationReport;
import caravan.pipeline.decontaminate.DecontaminateConfig;
import caravan.pipeline.decontaminate.DecontaminateStage;
import caravan.pipeline.decontaminate.ItemIndex;
import caravan.pipeline.decontaminate.ItemIndexer;
import caravan.pipeline.read.ReadConfig;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Documents to documents without evaluation items' n-grams. */
@Command(
    name = DecontaminateJob.NAME,
    description =
        "documents → documents without n-grams of evaluation items; contamination.jsonl says which item is where")
final class DecontaminateJob extends Job<DecontaminateJob.Config> {
  static final String NAME = "decontaminate";

  record Config(
      List<String> input, String output, ReadConfig read, DecontaminateConfig decontaminate) {}

  DecontaminateJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    try (SparkSession spark = openSpark(NAME)) {
      run(spark, config, force());
    }
    return Caravan.DONE;
  }

  static void run(SparkSession spark, Config config, boolean force) {
    DecontaminateConfig settings = config.decontaminate();
    Corpus items = items(spark, settings, config.read());
    Corpus corpus = Corpus.open(spark, config.input(), config.read());
    Map<String, Object> resolved =
        Map.of(
            "read", config.read(),
            "decontaminate", settings,
            "items", items.inputs().fingerprints());
    StageOutput.Limits limits = new StageOutput.Limits(false, config.read().maxBrokenFraction());
    StageOutput output = new StageOutput(spark, config.output(), limits);
    Optional<StageReport> valid =
        force ? Optional.empty() : output.upToDate(NAME, corpus.inputs(), resolved);
    if (valid.isPresent() && StagePages.hasContamination(corpus, config.output())) {
      StageReport report = valid.get();
      Summary.print(
          new StageOutput.Result(report, true, report.input().documents()), config.output());
      return;
    }
    ItemIndex index = new ItemIndexer(settings).of(items.reader().documents(spark));
    Broadcast<ItemIndex> broadcast = new JavaSparkContext(spark.sparkContext()).broadcast(index);
    StageOutput.Result result =
        output.run(
            new DecontaminateStage(settings.action(), broadcast),
            corpus.inputs(),
            corpus.reader(),
            resolved,
            force);
    broadcast.destroy();
    Contamination contamination =
        StagePages.contamination(
            corpus,
            settings,
            Optional.of(result.report()),
            ContaminationReport.of(spark, config.output(), index),
            config.output());
    Summary.print(result, config.output());
    System.out.printf(
        "decontaminate: %s; see %s/%s%n",
        contamination.said(), config.output(), ContaminationReport.FILE);
  }

  /**
   * The evaluation items that a command's settings name.
   *
   * @throws IllegalArgumentException when they name none
   */
  static Corpus items(SparkSession spark, DecontaminateConfig settings, ReadConfig read) {
    if (settings.items().isEmpty()) {
      throw new IllegalArgumentException(
          "decontaminate.items: got nothing, wanted files of evaluation items; set"
              + " decontaminate.items=…");
    }
    return Corpus.open(
        spark, settings.items(), read.forRecords(settings.itemIdField(), settings.itemFields()));
  }
}
