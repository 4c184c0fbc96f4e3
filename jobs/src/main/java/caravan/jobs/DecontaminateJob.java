package caravan.jobs;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Manifest;
import caravan.pipeline.StageOutput;
import caravan.pipeline.Storage;
import caravan.pipeline.decontaminate.ContaminationReport;
import caravan.pipeline.decontaminate.DecontaminateConfig;
import caravan.pipeline.decontaminate.DecontaminateStage;
import caravan.pipeline.decontaminate.ItemIndex;
import caravan.pipeline.read.ReadConfig;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Documents to documents without evaluation items' n-grams. */
@Command(
    name = "decontaminate",
    description =
        "documents → documents without n-grams of evaluation items; contamination.jsonl says which item is where")
final class DecontaminateJob extends Job<DecontaminateJob.Config> {
  record Config(
      List<String> input, String output, ReadConfig read, DecontaminateConfig decontaminate) {}

  DecontaminateJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    try (SparkSession spark = openSpark("decontaminate")) {
      run(spark, config, force());
    }
    return Caravan.DONE;
  }

  static void run(SparkSession spark, Config config, boolean force) {
    DecontaminateConfig settings = config.decontaminate();
    if (settings.items().isEmpty()) {
      throw new IllegalArgumentException(
          "decontaminate.items: got nothing, wanted files of evaluation items; set"
              + " decontaminate.items=…");
    }
    ReadConfig read = config.read().withTextField(settings.itemFields());
    Corpus items = Corpus.open(spark, settings.items(), read);
    Corpus corpus = Corpus.open(spark, config.input(), config.read());
    ItemIndex index = ItemIndex.of(read(items), settings.ngramUnits(), settings.minItemUnits());
    DecontaminateStage stage =
        new DecontaminateStage(
            settings.action(), new JavaSparkContext(spark.sparkContext()).broadcast(index));
    StageOutput.Limits limits = new StageOutput.Limits(false, config.read().maxBrokenFraction());
    List<Manifest.Input> fingerprints = items.inputs().fingerprints();
    StageOutput.Result result =
        new StageOutput(spark, config.output(), limits)
            .run(
                stage,
                corpus.inputs(),
                corpus.reader(),
                Map.of("read", config.read(), "decontaminate", settings, "items", fingerprints),
                force);
    Summary.print(result, config.output());
    Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
    if (!result.upToDate()
        || !storage.exists(new Path(config.output(), ContaminationReport.FILE))) {
      print(ContaminationReport.write(spark, config.output(), index), config.output());
    }
  }

  /** The items, in the order of their files; there are few beside the corpus. */
  private static List<ItemIndex.Item> read(Corpus items) {
    List<ItemIndex.Item> read = new ArrayList<>();
    for (Row row : items.documents().collectAsList()) {
      Document item = Documents.fromRow(row);
      Documents.taggedIfUnreadable(item)
          .ifPresent(
              broken -> {
                throw new IllegalArgumentException(
                    "decontaminate.items: a record of %s is no item: %s; see decontaminate.item-fields"
                        .formatted(item.path(), broken.detail()));
              });
      read.add(new ItemIndex.Item(item.id(), item.source(), item.text()));
    }
    read.sort(Comparator.comparing(ItemIndex.Item::source).thenComparing(ItemIndex.Item::id));
    return read;
  }

  private static void print(List<ContaminationReport.Line> report, String output) {
    System.out.printf(
        "decontaminate: %,d of %,d items are in the corpus, in part or whole; %,d are too short to look for; see %s/%s%n",
        report.stream().filter(line -> line.documents() > 0).count(),
        report.size(),
        report.stream().filter(line -> line.ngrams() == 0).count(),
        output,
        ContaminationReport.FILE);
  }
}
