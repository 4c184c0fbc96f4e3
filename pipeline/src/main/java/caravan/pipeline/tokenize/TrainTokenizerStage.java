package caravan.pipeline.tokenize;

import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Documents to a vocabulary: {@code tokenizer.model} (SentencePiece), {@code tokenizer.vocab} (a
 * piece and its score a line, to be read), {@code tokenizer_config.json} (for Hugging Face's
 * transformers), and the manifest last. {@link TokenizerTrainer} learns it.
 */
public final class TrainTokenizerStage {
  /** The SentencePiece model's file name. */
  public static final String MODEL_FILE = "tokenizer.model";

  static final String VOCAB_FILE = "tokenizer.vocab";
  public static final String CONFIG_FILE = "tokenizer_config.json";

  /**
   * @param upToDate whether the vocabulary was there already and nothing was done
   */
  public record Result(Manifest manifest, boolean upToDate) {}

  private final Configuration conf;
  private final Storage storage;
  private final TokenizerConfig config;
  private final long seed;
  private final double maxBrokenFraction;

  /**
   * @param seed of the sample of rare segments, where there are too many
   * @param maxBrokenFraction share of the records that may be unreadable, 0 to 1
   */
  public TrainTokenizerStage(
      SparkSession spark, TokenizerConfig config, long seed, double maxBrokenFraction) {
    this.conf = spark.sparkContext().hadoopConfiguration();
    this.storage = new Storage(conf);
    this.config = config;
    this.seed = seed;
    this.maxBrokenFraction = maxBrokenFraction;
  }

  /**
   * Writes the vocabulary unless it is there already, made from the same inputs by the same
   * configuration.
   *
   * @param documents rows of {@link caravan.pipeline.Documents#SCHEMA}
   * @param force write in any case
   * @throws IllegalArgumentException if the documents do not give such a vocabulary, or the
   *     directory holds something else
   */
  public Result run(Inputs inputs, Dataset<Row> documents, String output, boolean force) {
    Optional<Manifest> valid = force ? Optional.empty() : upToDate(inputs, output);
    return valid
        .map(manifest -> new Result(manifest, true))
        .orElseGet(() -> new Result(write(inputs, documents, output), false));
  }

  /** The manifest of a whole vocabulary made from the same inputs by the same configuration. */
  public Optional<Manifest> upToDate(Inputs inputs, String output) {
    Path directory = storage.qualify(new Path(output));
    return FinishedOutput.find(
        conf,
        directory,
        "train-tokenizer",
        Manifest.TOKENIZER,
        configHash(),
        inputs.fingerprints(),
        manifest -> manifest.checkHashes(conf, directory));
  }

  /** Learns the vocabulary, writes it and commits it. */
  public Manifest write(Inputs inputs, Dataset<Row> documents, String output) {
    Path directory = storage.qualify(new Path(output));
    refuseForeignDirectory(conf, directory);
    TokenizerTrainer.Trained trained =
        new TokenizerTrainer(config, seed, maxBrokenFraction).train(inputs, documents);
    storage.delete(new Path(directory, Manifest.FILE_NAME));
    storage.delete(new Path(directory, MODEL_FILE));
    files(trained.model())
        .forEach((name, bytes) -> storage.writeAtomically(new Path(directory, name), bytes));
    Manifest manifest = manifest(inputs, directory, trained);
    manifest.write(conf, directory);
    return manifest;
  }

  private Manifest manifest(Inputs inputs, Path directory, TokenizerTrainer.Trained trained) {
    List<Manifest.OutputFile> files =
        List.of(MODEL_FILE, VOCAB_FILE, CONFIG_FILE).stream()
            .map(name -> Manifest.describe(conf, directory, name))
            .toList();
    return Manifest.of(
        Manifest.TOKENIZER,
        inputs.fingerprints(),
        configHash(),
        Map.of(
            "pieces", (long) trained.model().pieces().size(),
            "records", trained.records(),
            "unreadable", trained.unreadable(),
            "put_aside", trained.putAside(),
            "segments", trained.segments(),
            "sampled_below", trained.sampledBelow()),
        files,
        files.get(0).sha256(),
        Map.of());
  }

  /** What a vocabulary is written as, by file name; the model last, which others open. */
  static Map<String, byte[]> files(SentencePieceModel model) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put(VOCAB_FILE, vocabulary(model));
    files.put(CONFIG_FILE, Json.bytes(model.transformersConfig()));
    files.put(MODEL_FILE, model.toBytes());
    return files;
  }

  static void refuseForeignDirectory(Configuration conf, Path directory) {
    Manifest.find(conf, directory)
        .filter(manifest -> !manifest.kind().equals(Manifest.TOKENIZER))
        .ifPresent(
            manifest -> {
              throw new IllegalArgumentException(
                  "output "
                      + directory
                      + ": holds "
                      + manifest.kind()
                      + ", wanted an empty directory or a tokenizer; choose another output");
            });
  }

  private String configHash() {
    return Manifest.hashOf(Map.of("stage", "train-tokenizer", "config", config, "seed", seed));
  }

  private static byte[] vocabulary(SentencePieceModel model) {
    StringBuilder lines = new StringBuilder();
    for (SentencePieceModel.Piece piece : model.pieces()) {
      lines.append(piece.text()).append('\t').append(score(piece.score())).append('\n');
    }
    return lines.toString().getBytes(StandardCharsets.UTF_8);
  }

  /** As sentencepiece writes it: whole numbers without a fraction. */
  private static String score(float score) {
    return score == (long) score ? Long.toString((long) score) : Float.toString(score);
  }
}
