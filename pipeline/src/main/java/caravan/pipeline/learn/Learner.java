package caravan.pipeline.learn;

import caravan.pipeline.DocumentSource;
import caravan.pipeline.Inputs;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.clean.Boilerplate;
import caravan.pipeline.clean.CleanConfig;
import caravan.pipeline.clean.Cleaner;
import caravan.pipeline.clean.Learned;
import caravan.pipeline.clean.ListFiles;
import caravan.pipeline.clean.Perplexity;
import caravan.pipeline.read.CorpusReader;
import caravan.pipeline.read.ReadConfig;
import caravan.pipeline.text.NgramModel;
import caravan.pipeline.text.PerplexityFilter;
import caravan.pipeline.text.Rule;
import caravan.pipeline.text.Shared;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/**
 * Learns the rules that cleaning needs from corpora, once: what an earlier run of the same output
 * learned from the same is found in its {@code models/}.
 *
 * <ul>
 *   <li>An n-gram model per language depends on its reference corpus and settings.
 *   <li>The cut-offs of perplexity depend on the settings and on the input of the first run: they
 *       stay when the input grows, so that new files alone are cleaned, and the same way.
 *   <li>Boilerplate lines depend on all of the input: when it grows they are learned again, and if
 *       they differ all of it is cleaned again.
 * </ul>
 */
public final class Learner {
  private static final Logger log = LoggerFactory.getLogger(Learner.class);

  private final SparkSession spark;
  private final JavaSparkContext sc;
  private final LearnedFiles files;
  private final boolean force;

  /**
   * @param output the clean stage's output directory
   * @param force learn everything again
   */
  public Learner(SparkSession spark, String output, boolean force) {
    this.spark = spark;
    this.sc = JavaSparkContext.fromSparkContext(spark.sparkContext());
    this.files = new LearnedFiles(new Storage(sc.hadoopConfiguration()), new Path(output));
    this.force = force;
  }

  /**
   * What a run cleans.
   *
   * @param source reads {@code inputs}
   */
  public record Run(
      CleanConfig clean, ListFiles lists, ReadConfig read, Inputs inputs, DocumentSource source) {

    /** Settings by which texts become what rules see. */
    private Map<String, Object> reading() {
      return Map.of("read", read, "normalize", clean.normalize(), "chinese", clean.chinese());
    }
  }

  /** Learns what the settings ask for, or finds it. */
  public Learned learn(Run run) {
    Learning learning = new Learning(run);
    if (run.clean().boilerplate().enabled()) {
      learning.boilerplate();
    }
    for (String language : run.clean().keepLanguages()) {
      if (run.clean().rules(language).measuresPerplexity()) {
        learning.model(language);
      }
    }
    learning.cutOffs();
    return learning.learned();
  }

  private final class Learning {
    private final Run run;
    private final LearnedRules rules;

    /** By language. */
    private final Map<String, Shared<NgramModel>> models = new TreeMap<>();

    /** Their files, by language. */
    private final Map<String, String> modelNames = new TreeMap<>();

    Learning(Run run) {
      this.run = run;
      this.rules = new LearnedRules(files, run.clean());
    }

    Learned learned() {
      return rules.learned();
    }

    void boilerplate() {
      Boilerplate config = run.clean().boilerplate();
      Map<String, Object> origin = new TreeMap<>(run.reading());
      origin.put("input", contents(run.inputs()));
      origin.put("boilerplate", config);
      origin.put("languages", run.clean().keepLanguages());
      String name = name("boilerplate", origin);
      if (found(name).isEmpty()) {
        learnBoilerplate(name, config);
      }
      var lines = sc.broadcast(rules.lines(name));
      rules.addBoilerplate(name, lines::value);
    }

    private void learnBoilerplate(String name, Boilerplate config) {
      log.info("clean: learning boilerplate lines from {}", run.inputs().spec());
      Cleaner cleaner = new Cleaner(run.clean(), run.lists(), Learned.NOTHING);
      List<String> languages = run.clean().keepLanguages();
      JavaRDD<Cleaner.Ready> documents =
          new SourceDocuments(sc, run.source())
              .all()
              .map(cleaner::ready)
              .filter(ready -> languages.contains(ready.language()));
      BoilerplateLearner.Lines lines = new BoilerplateLearner(spark, config).learn(documents);
      if (lines.found() > lines.keys().length) {
        log.warn(
            "clean: {} boilerplate lines, of which the {} in most documents are removed; raise"
                + " clean.boilerplate.max-lines for more",
            lines.found(),
            lines.keys().length);
      }
      Map<String, Object> record =
          Map.of(
              "input",
              run.inputs().fingerprints(),
              "settings",
              config,
              "lines",
              lines.keys().length,
              "found",
              lines.found());
      files.write(name, record, out -> LearnedRules.writeLongs(lines.keys(), out));
      files.deleteExcept("boilerplate-", name);
    }

    void model(String language) {
      Perplexity config = run.clean().rules(language).perplexity();
      Inputs reference = Inputs.resolve(sc.hadoopConfiguration(), config.reference());
      Map<String, Object> origin = new TreeMap<>(run.reading());
      origin.put("reference", contents(reference));
      origin.put("order", config.order());
      origin.put("max-vocabulary", config.maxVocabulary());
      origin.put("max-ngrams", config.maxNgrams());
      String name = name("perplexity-" + language, origin);
      if (found(name).isEmpty()) {
        train(name, language, config, reference);
      }
      var model = sc.broadcast(rules.model(name));
      models.put(language, model::value);
      modelNames.put(language, name);
    }

    private void train(String name, String language, Perplexity config, Inputs reference) {
      log.info("clean: learning a model of {} from {}", language, reference.spec());
      Cleaner cleaner = new Cleaner(run.clean(), run.lists(), Learned.NOTHING);
      JavaRDD<String> texts =
          new SourceDocuments(sc, new CorpusReader(reference, run.read()))
              .all()
              .map(cleaner::ready)
              .filter(ready -> ready.language().equals(language))
              .map(ready -> ready.passage().text());
      NgramTrainer.Trained trained;
      try {
        trained = new NgramTrainer(spark, config).train(texts);
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(
            "clean.%s.perplexity.reference %s: %s"
                .formatted(language, reference.spec(), e.getMessage()),
            e);
      }
      Map<String, Object> record = new TreeMap<>();
      record.put("language", language);
      record.put("reference", reference.fingerprints());
      record.put("settings", config);
      record.put("units", trained.units());
      record.put("ngrams", trained.model().sizes());
      record.put("minCount", trained.minCount());
      record.put("discounts", trained.discounts());
      files.write(name, record, trained.model()::write);
    }

    /** Those that earlier runs have not learned, in one pass over a sample of the input. */
    void cutOffs() {
      Map<String, String> names = new TreeMap<>();
      Map<String, Map<String, Object>> records = new TreeMap<>();
      models.forEach(
          (language, model) -> {
            Map<String, Object> origin =
                Map.of(
                    "model", modelNames.get(language),
                    "read", run.read(),
                    "clean", run.clean(),
                    "lists", run.lists().digests());
            names.put(language, name("cutoffs-" + language, origin));
            found(names.get(language)).ifPresent(record -> records.put(language, record));
          });
      if (!records.keySet().equals(models.keySet())) {
        Map<String, double[]> samples = samples();
        models.keySet().stream()
            .filter(language -> !records.containsKey(language))
            .filter(language -> isSampled(language, samples))
            .forEach(
                language -> {
                  Map<String, Object> record = cutOffs(language, samples.get(language));
                  files.write(names.get(language), record);
                  records.put(language, record);
                });
      }
      records.forEach(
          (language, record) ->
              rules.addPerplexity(
                  language,
                  modelNames.get(language),
                  models.get(language),
                  LearnedRules.number(record, "head"),
                  LearnedRules.number(record, "middle")));
    }

    private boolean isSampled(String language, Map<String, double[]> samples) {
      if (!samples.containsKey(language)) {
        log.warn(
            "clean: no {} document in the sample of the input, so there are no cut-offs for its"
                + " perplexity, and it is not judged",
            language);
      }
      return samples.containsKey(language);
    }

    /** Perplexities of the sample's documents that come through all other rules, sorted. */
    private Map<String, double[]> samples() {
      log.info("clean: learning cut-offs of perplexity from a sample of {}", run.inputs().spec());
      long bytes =
          models.keySet().stream()
              .mapToLong(language -> run.clean().rules(language).perplexity().sampleBytes())
              .max()
              .orElseThrow();
      Map<String, Map<String, Rule>> measuring = new TreeMap<>();
      rules
          .learned()
          .rules()
          .forEach((language, named) -> measuring.put(language, new TreeMap<>(named)));
      models.forEach(
          (language, model) ->
              measuring.get(language).put(Perplexity.RULE, PerplexityFilter.measuring(model)));
      Cleaner cleaner = new Cleaner(run.clean(), run.lists(), new Learned(measuring, Map.of()));
      Map<String, List<Double>> values = new HashMap<>();
      new SourceDocuments(sc, run.source())
          .sample(bytes)
          .map(cleaner::clean)
          .filter(
              cleaned ->
                  cleaned.drop().isEmpty()
                      && cleaned.document().meta().containsKey(PerplexityFilter.PERPLEXITY))
          .map(
              cleaned ->
                  new Tuple2<>(
                      cleaned.document().language(),
                      Double.valueOf(cleaned.document().meta().get(PerplexityFilter.PERPLEXITY))))
          .collect()
          .forEach(v -> values.computeIfAbsent(v._1(), l -> new ArrayList<>()).add(v._2()));
      Map<String, double[]> sorted = new TreeMap<>();
      values.forEach(
          (language, all) ->
              sorted.put(
                  language, all.stream().mapToDouble(Double::doubleValue).sorted().toArray()));
      return sorted;
    }

    private Map<String, Object> cutOffs(String language, double[] sample) {
      Perplexity config = run.clean().rules(language).perplexity();
      return Map.of(
          "model", modelNames.get(language),
          "input", run.inputs().fingerprints(),
          "documents", sample.length,
          "head", quantile(sample, config.head()),
          "middle", quantile(sample, config.middle()));
    }
  }

  private Optional<Map<String, Object>> found(String name) {
    return force ? Optional.empty() : files.find(name);
  }

  private static String name(String kind, Map<String, Object> origin) {
    return kind + "-" + Manifest.hashOf(origin).substring(0, 16);
  }

  /** What files hold, wherever they lie. */
  private static List<String> contents(Inputs inputs) {
    return inputs.fingerprints().stream().map(Manifest.Input::fingerprint).toList();
  }

  /** Smallest value that at least a share of the values do not exceed. */
  static double quantile(double[] sorted, double share) {
    return sorted[Math.max(0, (int) Math.ceil(share * sorted.length) - 1)];
  }
}
