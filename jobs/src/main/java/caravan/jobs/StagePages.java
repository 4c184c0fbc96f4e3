package caravan.jobs;

import caravan.jobs.audit.CleanSample;
import caravan.jobs.audit.DuplicateSample;
import caravan.jobs.audit.Excerpt;
import caravan.jobs.audit.StageDocuments;
import caravan.jobs.report.CleanPage;
import caravan.jobs.report.Contamination;
import caravan.jobs.report.DecontaminatePage;
import caravan.jobs.report.DedupPage;
import caravan.pipeline.Inputs;
import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import caravan.pipeline.Storage;
import caravan.pipeline.clean.Cleaner;
import caravan.pipeline.decontaminate.ContaminationReport;
import caravan.pipeline.decontaminate.DecontaminateConfig;
import caravan.pipeline.dedup.DedupConfig;
import caravan.pipeline.dedup.RepeatReport;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** {@code report.html} beside a stage's report.json; it is no part of the output proper. */
final class StagePages {
  static final String FILE = "report.html";
  private static final int SPEC = 400;

  /** Near duplicates that dedup's page shows. */
  private static final int PAIRS = 20;

  /** Evaluation items that decontaminate's page shows. */
  private static final int ITEMS = 50;

  private StagePages() {}

  /** Writes clean's page, unless it is there and nothing was done. */
  static void clean(Corpus corpus, Cleaner cleaner, StageOutput.Result result, String output) {
    Storage storage = new Storage(corpus.spark().sparkContext().hadoopConfiguration());
    write(
        storage,
        output,
        result,
        () ->
            CleanPage.html(
                described(corpus.inputs(), output),
                result.report(),
                CleanSample.of(corpus.reader(), storage, cleaner)));
  }

  /** Writes dedup's page, unless it is there and nothing was done. */
  static void dedup(
      Corpus corpus,
      DedupConfig config,
      StageOutput.Result result,
      Optional<RepeatReport> repeats,
      String output) {
    Configuration hadoop = corpus.spark().sparkContext().hadoopConfiguration();
    write(
        new Storage(hadoop),
        output,
        result,
        () ->
            DedupPage.html(
                described(corpus.inputs(), output),
                result.report(),
                DuplicateSample.of(corpus.spark(), StageDocuments.open(output, hadoop), PAIRS),
                config.minimumSimilarity(),
                repeats));
  }

  /** Whether an output of decontaminate has its page and its report. */
  static boolean hasContamination(Corpus corpus, String output) {
    Storage storage = new Storage(corpus.spark().sparkContext().hadoopConfiguration());
    return storage.exists(new Path(output, FILE))
        && storage.exists(new Path(output, ContaminationReport.FILE));
  }

  /** Writes which evaluation items are in a corpus, as page and as lines. */
  static Contamination contamination(
      Corpus corpus,
      DecontaminateConfig config,
      Optional<StageReport> stage,
      ContaminationReport report,
      String output) {
    Storage storage = new Storage(corpus.spark().sparkContext().hadoopConfiguration());
    Contamination contamination = new Contamination(ITEMS);
    report.write(storage, output, contamination);
    String page =
        DecontaminatePage.html(
            described(corpus.inputs(), output),
            stage,
            contamination,
            config,
            ContaminationReport.FILE);
    storage.writeAtomically(new Path(output, FILE), page.getBytes(StandardCharsets.UTF_8));
    return contamination;
  }

  private static String described(Inputs inputs, String output) {
    return "%s → %s".formatted(Excerpt.start(inputs.spec(), SPEC), output);
  }

  private static void write(
      Storage storage, String output, StageOutput.Result result, Callable<String> page) {
    Path file = new Path(output, FILE);
    if (result.upToDate() && storage.exists(file)) {
      return;
    }
    try {
      storage.writeAtomically(file, page.call().getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be made", e);
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(file + ": cannot be made", e);
    }
  }
}
