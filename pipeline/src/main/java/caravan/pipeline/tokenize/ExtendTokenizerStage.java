package caravan.pipeline.tokenize;

import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Documents and a base vocabulary to a larger one: the files of {@link TrainTokenizerStage}, and
 * {@code report.json} with what the new pieces change per language. Segments are counted on Spark's
 * executors, merges are learned on the driver ({@link VocabularyExtender}).
 */
public final class ExtendTokenizerStage {
  static final String REPORT_FILE = "report.json";

  /** New pieces that the report shows. */
  private static final int SAMPLE = 200;

  /**
   * Texts and the files that they come from.
   *
   * @param documents rows of {@link caravan.pipeline.Documents#SCHEMA}
   */
  public record Texts(Inputs inputs, Dataset<Row> documents) {}

  /**
   * @param upToDate whether the vocabulary was there already and nothing was done
   */
  public record Result(Manifest manifest, boolean upToDate) {}

  private final Configuration conf;
  private final Storage storage;
  private final SentencePieceTokenizer base;
  private final ExtensionConfig config;
  private final long seed;
  private final double maxBrokenFraction;

  /**
   * @param seed of the samples, where a corpus is larger than those
   * @param maxBrokenFraction share of the records that may be unreadable, 0 to 1
   * @throws IllegalArgumentException if the base cannot be extended to the wanted size
   */
  public ExtendTokenizerStage(
      SparkSession spark,
      SentencePieceTokenizer base,
      ExtensionConfig config,
      long seed,
      double maxBrokenFraction) {
    this.conf = spark.sparkContext().hadoopConfiguration();
    this.storage = new Storage(conf);
    this.base = base;
    this.config = config;
    this.seed = seed;
    this.maxBrokenFraction = maxBrokenFraction;
    VocabularyExtender.requireExtensible(base.model(), config);
  }

  /**
   * Writes the vocabulary unless it is there already, made from the same base and inputs by the
   * same configuration.
   *
   * @param learned texts to learn from
   * @param measured more texts to measure on, of languages that are to stay as they are
   * @param force write in any case
   * @throws IllegalArgumentException if the texts do not give as many pieces, or the directory
   *     holds something else
   */
  public Result run(Texts learned, Optional<Texts> measured, String output, boolean force) {
    Path directory = storage.qualify(new Path(output));
    Optional<Manifest> valid =
        force ? Optional.empty() : upToDate(fingerprints(learned, measured), directory);
    return valid
        .map(manifest -> new Result(manifest, true))
        .orElseGet(() -> new Result(write(learned, measured, directory), false));
  }

  private Optional<Manifest> upToDate(List<Manifest.Input> inputs, Path directory) {
    return FinishedOutput.find(
        conf,
        directory,
        "extend-tokenizer",
        Manifest.TOKENIZER,
        configHash(),
        inputs,
        manifest -> manifest.checkHashes(conf, directory));
  }

  private Manifest write(Texts learned, Optional<Texts> measured, Path directory) {
    TrainTokenizerStage.refuseForeignDirectory(conf, directory);
    SentencePieceModel model = learn(learned);
    SentencePieceTokenizer extended =
        SentencePieceTokenizer.of(model.toBytes(), "the extended vocabulary");
    Map<String, Object> report = report(model, extended, learned, measured);
    storage.delete(new Path(directory, Manifest.FILE_NAME));
    Map<String, byte[]> files = TrainTokenizerStage.files(model);
    files.forEach((name, bytes) -> storage.writeAtomically(new Path(directory, name), bytes));
    storage.writeAtomically(new Path(directory, REPORT_FILE), Json.bytes(report));
    Manifest manifest = manifest(fingerprints(learned, measured), directory, model, files);
    manifest.write(conf, directory);
    return manifest;
  }

  private SentencePieceModel learn(Texts texts) {
    PieceRules rules =
        new PieceRules(config.maxPieceLength(), base.model().trainer().splitDigits());
    SegmentSplitter splitter = new SegmentSplitter(rules, userDefinedSymbols());
    try (CountedSegments counted = SegmentCounter.count(texts.documents(), splitter)) {
      UnreadableRecords.check(
          texts.inputs(),
          texts.documents(),
          counted.counted(SegmentCounter.UNREADABLE),
          counted.counted(SegmentCounter.RECORDS),
          maxBrokenFraction);
      return VocabularyExtender.extend(
          base.model(),
          counted.characters(),
          counted.whole(config.maxSegmentCharacters(), seed).segments(),
          config);
    }
  }

  private List<String> userDefinedSymbols() {
    return base.model().pieces().stream()
        .filter(piece -> piece.type() == PieceType.USER_DEFINED)
        .map(Piece::text)
        .toList();
  }

  private Map<String, Object> report(
      SentencePieceModel model,
      SentencePieceTokenizer extended,
      Texts learned,
      Optional<Texts> measured) {
    TokenizerComparison comparison =
        new TokenizerComparison(base, extended, config.measureCharacters(), seed);
    List<String> added = model.pieces().stream().skip(base.vocabSize()).map(Piece::text).toList();
    Map<String, Object> report = new LinkedHashMap<>();
    report.put("basePieces", base.vocabSize());
    report.put("baseSha256", base.sha256());
    report.put("pieces", model.pieces().size());
    report.put("newCharacters", added.stream().filter(text -> characters(text) == 1).count());
    report.put("newMerges", added.stream().filter(text -> characters(text) > 1).count());
    report.put("learnedFrom", described(comparison.of(learned.documents())));
    measured.ifPresent(
        texts -> report.put("measuredOn", described(comparison.of(texts.documents()))));
    report.put("newPieces", added.subList(0, Math.min(SAMPLE, added.size())));
    return report;
  }

  private static int characters(String text) {
    return text.codePointCount(0, text.length());
  }

  private static Map<String, Object> described(Map<String, TokenizerComparison.Counts> counts) {
    Map<String, Object> languages = new TreeMap<>();
    counts.forEach(
        (language, c) -> {
          Map<String, Object> described = new LinkedHashMap<>();
          described.put("documents", c.documents());
          described.put("bytes", c.bytes());
          described.put("tokensBefore", c.tokensBefore());
          described.put("tokensAfter", c.tokensAfter());
          described.put("bytesPerTokenBefore", c.bytesPerTokenBefore());
          described.put("bytesPerTokenAfter", c.bytesPerTokenAfter());
          described.put("newTokens", c.newTokens());
          described.put("unchangedDocuments", c.unchangedDocuments());
          languages.put(language, described);
        });
    return languages;
  }

  private Manifest manifest(
      List<Manifest.Input> inputs,
      Path directory,
      SentencePieceModel model,
      Map<String, byte[]> files) {
    List<Manifest.OutputFile> outputs =
        files.keySet().stream().map(name -> Manifest.describe(conf, directory, name)).toList();
    return Manifest.of(
        Manifest.TOKENIZER,
        inputs,
        configHash(),
        Map.of(
            "pieces", (long) model.pieces().size(),
            "basePieces", (long) base.vocabSize()),
        outputs,
        outputs.get(0).sha256(),
        Map.of("baseSha256", base.sha256()));
  }

  private static List<Manifest.Input> fingerprints(Texts learned, Optional<Texts> measured) {
    List<Manifest.Input> all = new ArrayList<>(learned.inputs().fingerprints());
    measured.ifPresent(texts -> all.addAll(texts.inputs().fingerprints()));
    return all;
  }

  private String configHash() {
    return Manifest.hashOf(
        Map.of("stage", "extend-tokenizer", "config", config, "seed", seed, "base", base.sha256()));
  }
}
