package caravan.pipeline.tokenize;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.udf;

import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.ShardPlan;
import caravan.pipeline.shard.ShardWriter;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenManifest.Shard;
import caravan.pipeline.shard.TokenType;
import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.SerializableConfiguration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Documents to token shards: per document BOS, its ids, EOS; with a copy of the tokenizer.
 * Documents are shuffled over the whole corpus by a hash of seed, source and id, and split into
 * training and validation by a hash of their text, so that the shards' bytes do not depend on the
 * input's partitions or order.
 *
 * <p>The manifest goes first when a run starts and is written last: what a failed run leaves never
 * passes for token shards.
 */
public final class TokenizeStage {
  private static final Logger log = LoggerFactory.getLogger(TokenizeStage.class);

  /** The shards' own copy of their tokenizer. */
  static final String TOKENIZER_FILE = "tokenizer.model";

  private static final List<String> FOLDERS =
      List.of(TokenManifest.TRAIN, TokenManifest.VALIDATION, TokenManifest.PROVENANCE);

  /**
   * @param upToDate whether the shards were valid already and nothing was done
   */
  public record Result(Manifest manifest, boolean upToDate) {}

  private final SparkSession spark;
  private final Configuration conf;
  private final Storage storage;
  private final SentencePieceTokenizer tokenizer;
  private final TokenType dtype;
  private final TokenizeConfig config;
  private final long seed;

  /**
   * @param seed of the documents' order
   * @throws IllegalArgumentException if the tokenizer lacks BOS, or EOS where it is to be written
   */
  public TokenizeStage(
      SparkSession spark, SentencePieceTokenizer tokenizer, TokenizeConfig config, long seed) {
    this.spark = spark;
    this.conf = spark.sparkContext().hadoopConfiguration();
    this.storage = new Storage(conf);
    this.tokenizer = tokenizer;
    this.dtype = TokenType.forVocabulary(tokenizer.vocabSize());
    this.config = config;
    this.seed = seed;
    if (tokenizer.bosId() < 0 || config.eos() && tokenizer.eosId() < 0) {
      throw new IllegalArgumentException(
          "tokenizer: it has no "
              + (tokenizer.bosId() < 0 ? "BOS" : "EOS")
              + " piece, which parts the documents; give a tokenizer with <s> and </s>");
    }
  }

  /**
   * Writes the shards unless they are there already, made from the same inputs by the same
   * configuration.
   *
   * @param documents rows of {@link caravan.pipeline.Documents#SCHEMA}
   * @param force write in any case
   * @throws IllegalArgumentException if there is no document for training, or the directory holds
   *     something else
   */
  public Result run(Inputs inputs, Dataset<Row> documents, String output, boolean force) {
    Optional<Manifest> valid = force ? Optional.empty() : upToDate(inputs, output);
    return valid
        .map(manifest -> new Result(manifest, true))
        .orElseGet(() -> new Result(write(inputs, documents, output), false));
  }

  /** The manifest of whole shards made from the same inputs by the same configuration. */
  public Optional<Manifest> upToDate(Inputs inputs, String output) {
    Path directory = storage.qualify(new Path(output));
    Optional<Manifest> same =
        Manifest.find(conf, directory)
            .filter(m -> m.kind().equals(Manifest.TOKENS))
            .filter(m -> m.configHash().equals(configHash()))
            .filter(m -> m.inputs().equals(inputs.fingerprints()));
    if (same.isEmpty()) return same;
    try {
      same.get().checkFiles(conf, directory);
    } catch (IllegalArgumentException e) {
      log.warn("tokenize: {} is damaged and written again: {}", directory, e.getMessage());
      return Optional.empty();
    }
    log.info("tokenize: {} is up to date: same input, same configuration", directory);
    return same;
  }

  /** Writes the shards and commits them. */
  public Manifest write(Inputs inputs, Dataset<Row> documents, String output) {
    Path directory = storage.qualify(new Path(output));
    refuseForeignDirectory(directory);
    storage.delete(new Path(directory, Manifest.FILE_NAME));
    FOLDERS.forEach(folder -> storage.delete(new Path(directory, folder)));
    // Bytes, because they cross under any spark.serializer; executors keep one tokenizer each.
    Broadcast<byte[]> shared =
        JavaSparkContext.fromSparkContext(spark.sparkContext()).broadcast(tokenizer.toBytes());
    Dataset<Row> encoded = encode(documents, shared).persist(StorageLevel.DISK_ONLY());
    try {
      EncodedTotals totals = EncodedTotals.of(encoded, dtype);
      totals.requireTraining(output);
      if (config.validationFraction() > 0 && totals.validationDocuments() == 0) {
        log.warn(
            "tokenize: none of {} documents fell to validation; raise tokenize.validation-fraction",
            totals.documents());
      }
      List<ShardWriter.Written> shards = writeShards(encoded, totals, directory);
      storage.writeAtomically(new Path(directory, TOKENIZER_FILE), tokenizer.toBytes());
      Manifest manifest = manifest(inputs, totals, shards);
      manifest.write(conf, directory);
      return manifest;
    } finally {
      encoded.unpersist();
      shared.destroy();
    }
  }

  private Dataset<Row> encode(Dataset<Row> documents, Broadcast<byte[]> shared) {
    return documents
        .select("id", "source", "text")
        .mapPartitions(
            new DocumentEncoder(shared, dtype, config, seed), Encoders.row(DocumentEncoder.SCHEMA));
  }

  private List<ShardWriter.Written> writeShards(
      Dataset<Row> encoded, EncodedTotals totals, Path directory) {
    ShardPlan train = new ShardPlan(totals.trainBuckets(), config.shardTokens());
    ShardPlan validation = new ShardPlan(totals.validationBuckets(), config.shardTokens());
    UDF2<Boolean, Integer, Integer> shardOf =
        (isValidation, bucket) -> (isValidation ? validation : train).shardOf(bucket);
    Dataset<Row> sorted =
        encoded
            .withColumn(
                "shard",
                udf(shardOf, DataTypes.IntegerType).apply(col("validation"), col("bucket")))
            .repartition(
                train.shardCount() + validation.shardCount(), col("validation"), col("shard"))
            .sortWithinPartitions("validation", "shard", "order", "source", "id", "content");
    List<ShardWriter.Written> written = new ArrayList<>();
    ShardPartitionWriter writer =
        new ShardPartitionWriter(new SerializableConfiguration(conf), directory.toString(), dtype);
    for (String json : sorted.mapPartitions(writer, Encoders.STRING()).collectAsList()) {
      try {
        written.add(Json.MAPPER.readValue(json, ShardWriter.Written.class));
      } catch (JsonProcessingException e) {
        throw new IllegalStateException("a shard's description cannot be read: " + json, e);
      }
    }
    written.sort(
        Comparator.comparing((ShardWriter.Written w) -> w.shard().split())
            .thenComparing(w -> w.shard().index()));
    return written;
  }

  private Manifest manifest(
      Inputs inputs, EncodedTotals totals, List<ShardWriter.Written> written) {
    List<Shard> shards = written.stream().map(ShardWriter.Written::shard).toList();
    List<Manifest.OutputFile> files =
        new ArrayList<>(written.stream().flatMap(w -> w.files().stream()).toList());
    Map<String, Long> counts = new TreeMap<>(Map.of("textBytes", totals.textBytes()));
    for (Shard shard : shards) {
      for (String key : List.of("tokens", shard.split() + "Tokens")) {
        counts.merge(key, shard.tokens(), Long::sum);
      }
      for (String key : List.of("documents", shard.split() + "Documents")) {
        counts.merge(key, shard.documents(), Long::sum);
      }
    }
    if (counts.get("documents") != totals.documents()) {
      throw new IllegalStateException(
          String.format(
              "tokenize: wrote %,d documents of %,d; run it again",
              counts.get("documents"), totals.documents()));
    }
    TokenManifest tokens =
        new TokenManifest(
            dtype,
            tokenizer.vocabSize(),
            tokenizer.sha256(),
            tokenizer.bosId(),
            tokenizer.eosId(),
            config.eos(),
            shards);
    List<String> hashes =
        files.stream()
            .filter(file -> !file.path().startsWith(TokenManifest.PROVENANCE))
            .map(Manifest.OutputFile::sha256)
            .toList();
    files.add(
        new Manifest.OutputFile(TOKENIZER_FILE, tokenizer.toBytes().length, tokenizer.sha256()));
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
    String root = directory.toUri().getPath() + "/";
    for (FileStatus file : storage.filesBelow(directory)) {
      String path = file.getPath().toUri().getPath().substring(root.length());
      boolean ours = FOLDERS.stream().anyMatch(folder -> path.startsWith(folder + "/"));
      if (!ours && !path.equals(TOKENIZER_FILE)) {
        throw new IllegalArgumentException(
            "output "
                + directory
                + ": holds "
                + path
                + ", wanted an empty directory or token shards; choose another output");
      }
    }
  }
}
