package caravan.pipeline.tokenize;

import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.ShardFormat;
import caravan.pipeline.shard.ShardWriter;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenManifest.Shard;
import caravan.pipeline.shard.TokenType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Documents to token shards: per document BOS, its ids, EOS; with a copy of the tokenizer.
 * Documents are shuffled over the whole corpus by a hash of seed, source and id, and split into
 * training, validation and test by a hash of their text, so that the shards' bytes do not depend on
 * the input's partitions or order. Inputs that are validation or test as a whole come beside; a
 * text in them is nowhere else. Training documents are repeated as the {@link Mixture} says.
 *
 * <p>The manifest goes first when a run starts and is written last: what a failed run leaves never
 * passes for token shards.
 */
public final class TokenizeStage {
  private static final Logger log = LoggerFactory.getLogger(TokenizeStage.class);

  /**
   * @param upToDate whether the shards were valid already and nothing was done
   */
  public record Result(Manifest manifest, boolean upToDate) {}

  private final SparkSession spark;
  private final Configuration conf;
  private final Storage storage;
  private final Tokenizer tokenizer;
  private final TokenType dtype;
  private final TokenizeConfig config;
  private final long seed;

  /**
   * @param seed of the documents' order
   * @throws IllegalArgumentException if the tokenizer lacks BOS, or EOS where it is to be written,
   *     would lose text, or has more ids than the format holds
   */
  public TokenizeStage(SparkSession spark, Tokenizer tokenizer, TokenizeConfig config, long seed) {
    this.spark = spark;
    this.conf = spark.sparkContext().hadoopConfiguration();
    this.storage = new Storage(conf);
    this.tokenizer = tokenizer;
    this.dtype = TokenType.forVocabulary(tokenizer.vocabSize());
    this.config = config;
    this.seed = seed;
    if (tokenizer.bosId() < 0 || config.writesEos() && tokenizer.eosId() < 0) {
      throw new IllegalArgumentException(
          "tokenizer: it has no "
              + (tokenizer.bosId() < 0 ? "BOS" : "EOS")
              + " piece, which parts the documents; give a tokenizer with <s> and </s>, or a tokenizer.json"
              + " with a tokenizer_config.json that names them");
    }
    if (tokenizer instanceof SentencePiece sentencePiece
        && !sentencePiece.model().trainer().byteFallback()) {
      throw new IllegalArgumentException(
          "tokenizer: it has no byte fallback, so that rare characters would be lost; give one that"
              + " train-tokenizer made, or a Llama-2 style tokenizer.model");
    }
    config.format().check(dtype, tokenizer.vocabSize(), config.hasTest());
  }

  /**
   * Writes the shards unless they are there already, made from the same inputs by the same
   * configuration.
   *
   * @param force write in any case
   * @throws IllegalArgumentException if there is no document for training, a rule of the mixture
   *     matches none, too many records are unreadable, or the directory holds something else
   */
  public Result run(SplitInputs inputs, String output, boolean force) {
    Optional<Manifest> valid = force ? Optional.empty() : upToDate(inputs, output);
    return valid
        .map(manifest -> new Result(manifest, true))
        .orElseGet(() -> new Result(write(inputs, output), false));
  }

  /** The manifest of whole shards made from the same inputs by the same configuration. */
  public Optional<Manifest> upToDate(SplitInputs inputs, String output) {
    Path directory = storage.qualify(new Path(output));
    return FinishedOutput.find(
        conf,
        directory,
        "tokenize",
        Manifest.TOKENS,
        configHash(),
        inputs.fingerprints(),
        manifest -> manifest.checkFiles(conf, directory));
  }

  /** Writes the shards and commits them. */
  public Manifest write(SplitInputs inputs, String output) {
    Path directory = storage.qualify(new Path(output));
    refuseForeignDirectory(directory);
    inputs.groups().ifPresent(groups -> Mixture.check(config.mixture(), groups));
    storage.delete(new Path(directory, Manifest.FILE_NAME));
    for (FileStatus file : storage.filesBelow(directory)) {
      if (ShardFormat.isShardPath(relative(directory, file))) storage.delete(file.getPath());
    }
    JavaSparkContext sc = JavaSparkContext.fromSparkContext(spark.sparkContext());
    try (EncodedCorpus encoded = new EncodedCorpus(sc, inputs, tokenizer, config, seed)) {
      Manifest manifest = write(inputs, encoded, directory);
      manifest.write(conf, directory);
      return manifest;
    }
  }

  private Manifest write(SplitInputs inputs, EncodedCorpus encoded, Path directory) {
    EncodedTotals read = encoded.totals();
    inputs.checkUnreadable(read.documents(EncodedDocument.UNREADABLE), read.records());
    read.requireTraining(directory.toString());
    requireValidation(read, directory);
    warnOfEmptySplits(read);
    Mixture mixture = mixture(read);
    boolean isMixed = !config.mixture().isEmpty();
    EncodedTotals written = isMixed ? encoded.totals(mixture) : read;
    written.requireTraining(directory.toString());
    List<ShardWriter.Written> shards =
        encoded.write(
            written,
            isMixed ? new MixedCopies(mixture, seed) : MixedCopies.ONCE,
            this::shardTokens,
            directory,
            config.format(),
            tokenizer.vocabSize());
    tokenizer
        .files()
        .forEach((name, bytes) -> storage.writeAtomically(new Path(directory, name), bytes));
    return manifest(inputs, new MixedTotals(read, written, mixture), shards);
  }

  private void requireValidation(EncodedTotals read, Path directory) {
    if (!config.format().needsOneValidationShard()) return;
    if (read.documents(TokenManifest.VALIDATION) > 0) return;
    throw new IllegalArgumentException(
        "tokenize.format %s: its first file is validation, but none of %,d documents fell to it in %s; raise tokenize.validation-fraction or give tokenize.validation-input"
            .formatted(config.format(), read.documents(), directory));
  }

  private void warnOfEmptySplits(EncodedTotals totals) {
    Map.of(
            TokenManifest.VALIDATION,
            config.validationFraction(),
            TokenManifest.TEST,
            config.testFraction())
        .forEach(
            (split, fraction) -> {
              if (fraction > 0 && totals.documents(split) == 0) {
                log.warn(
                    "tokenize: none of {} documents fell to {}; raise tokenize.{}-fraction",
                    totals.documents(),
                    split,
                    split);
              }
            });
  }

  private Mixture mixture(EncodedTotals read) {
    return Mixture.of(
        config.mixture(),
        read.groups(TokenManifest.TRAIN).stream()
            .map(g -> new Mixture.Group(g.source(), g.language(), g.tokens()))
            .toList());
  }

  private long shardTokens(String split) {
    boolean one =
        split.equals(TokenManifest.VALIDATION) && config.format().needsOneValidationShard();
    return one ? Long.MAX_VALUE : config.shardTokens();
  }

  private Manifest manifest(
      SplitInputs inputs, MixedTotals totals, List<ShardWriter.Written> written) {
    List<Shard> shards = written.stream().map(ShardWriter.Written::shard).toList();
    List<Manifest.OutputFile> files =
        new ArrayList<>(written.stream().flatMap(w -> w.files().stream()).toList());
    Map<String, Long> counts = totals.counts(shards);
    TokenManifest tokens =
        new TokenManifest(
            dtype,
            tokenizer.vocabSize(),
            tokenizer.sha256(),
            tokenizer.bosId(),
            tokenizer.eosId(),
            config.writesEos(),
            shards,
            totals.sources(),
            config.format(),
            config.encoder().toString());
    List<String> hashes =
        files.stream()
            .filter(file -> file.path().matches(".*\\.(bin|bounds)"))
            .map(Manifest.OutputFile::sha256)
            .toList();
    tokenizer
        .files()
        .forEach(
            (name, bytes) ->
                files.add(new Manifest.OutputFile(name, bytes.length, TokenizerFiles.hash(bytes))));
    return Manifest.of(
        Manifest.TOKENS,
        inputs.fingerprints(),
        configHash(),
        counts,
        files,
        Manifest.hashOf(Map.of("dtype", dtype, "tokenizer", tokenizer.sha256(), "files", hashes)),
        tokens.toExtra());
  }

  private String configHash() {
    return Manifest.hashOf(
        Map.of(
            "stage", "tokenize", "config", config, "seed", seed, "tokenizer", tokenizer.sha256()));
  }

  private void refuseForeignDirectory(Path directory) {
    Optional<Manifest> manifest = Manifest.find(conf, directory);
    if (manifest.isPresent() && !manifest.get().kind().equals(Manifest.TOKENS)) {
      throw new IllegalArgumentException(
          "output "
              + directory
              + ": holds "
              + manifest.get().kind()
              + ", wanted an empty directory or token shards; choose another output");
    }
    if (manifest.isPresent()) return;
    for (FileStatus file : storage.filesBelow(directory)) {
      String path = relative(directory, file);
      if (!ShardFormat.isShardPath(path) && !TokenizerFiles.ALL.contains(path)) {
        throw new IllegalArgumentException(
            "output "
                + directory
                + ": holds "
                + path
                + ", wanted an empty directory or token shards; choose another output");
      }
    }
  }

  private static String relative(Path directory, FileStatus file) {
    return file.getPath().toUri().getPath().substring(directory.toUri().getPath().length() + 1);
  }
}
