package caravan.jobs.chat;

import caravan.pipeline.Inputs;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenManifest.Shard;
import caravan.pipeline.shard.TokenType;
import caravan.pipeline.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.SerializableConfiguration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Chat data as training sequences on disk, made by one Spark task per input file: token shards of
 * fixed-length sequences with their targets, {@code dropped/} with every record that was not used,
 * and the manifest, written last.
 */
public final class ChatSequences {
  /** Kind of the output in its manifest. */
  public static final String KIND = "chat-sequences";

  /**
   * @param upToDate whether the sequences were valid already and nothing was done
   */
  public record Result(Manifest manifest, boolean upToDate) {}

  /** 2: targets are marked where a conversation begins. */
  private static final int FORMAT = 2;

  private static final Logger log = LoggerFactory.getLogger(ChatSequences.class);
  private static final List<String> FOLDERS =
      List.of(
          TokenManifest.TRAIN,
          TokenManifest.VALIDATION,
          TokenManifest.PROVENANCE,
          DroppedWriter.FOLDER);

  private final JavaSparkContext spark;
  private final Configuration hadoop;
  private final Tokenizer tokenizer;
  private final ChatConfig config;
  private final SequenceLayout layout;
  private final long seed;
  private final Optional<Inputs> heldOut;

  /**
   * @param sequenceLength tokens per sequence
   * @param seed of the split
   * @param validation conversations to hold out, in place of a share of the input's
   */
  public ChatSequences(
      JavaSparkContext spark,
      Tokenizer tokenizer,
      ChatConfig config,
      int sequenceLength,
      long seed,
      Optional<List<String>> validation) {
    this.spark = spark;
    this.hadoop = spark.hadoopConfiguration();
    this.tokenizer = tokenizer;
    this.config = config;
    this.seed = seed;
    this.heldOut = validation.map(files -> Inputs.resolve(hadoop, files));
    this.layout =
        new SequenceLayout(
            sequenceLength,
            tokenizer.eosId(),
            TokenType.forVocabulary(tokenizer.vocabSize()),
            config.rows(),
            config.tooLong());
  }

  /**
   * Writes the sequences, unless they are there already, made from the same input in the same way.
   *
   * @param input chat data; see {@link ChatReader}
   * @param force write in any case
   * @throws IllegalArgumentException when too much of the input is unusable, or nothing is left to
   *     train on
   */
  public Result write(List<String> input, String output, boolean force) {
    Inputs inputs = Inputs.resolve(hadoop, input);
    Path directory = new Path(output);
    Optional<Manifest> valid = force ? Optional.empty() : upToDate(inputs, directory);
    return valid
        .map(manifest -> new Result(manifest, true))
        .orElseGet(() -> new Result(write(inputs, directory), false));
  }

  private Optional<Manifest> upToDate(Inputs inputs, Path directory) {
    Optional<Manifest> same =
        Manifest.find(hadoop, directory)
            .filter(manifest -> manifest.kind().equals(KIND))
            .filter(manifest -> manifest.configHash().equals(configHash()))
            .filter(manifest -> manifest.inputs().equals(fingerprints(inputs)));
    if (same.isPresent()) {
      try {
        same.get().checkFiles(hadoop, directory);
      } catch (IllegalArgumentException e) {
        log.warn("chat sequences are damaged and written again: {}", e.getMessage());
        return Optional.empty();
      }
    }
    return same;
  }

  private Manifest write(Inputs inputs, Path directory) {
    Storage storage = new Storage(hadoop);
    Optional<Manifest> found = Manifest.find(hadoop, directory);
    if (found.isPresent() && !found.get().kind().equals(KIND)) {
      throw new IllegalArgumentException(
          "%s: holds %s, wanted nothing or chat sequences; choose another output"
              .formatted(directory, found.get().kind()));
    }
    storage.delete(new Path(directory, Manifest.FILE_NAME));
    FOLDERS.forEach(folder -> storage.delete(new Path(directory, folder)));
    List<ChatFileTask.Done> files = run(inputs, directory);
    Map<String, Long> counts = counts(files);
    checkUsable(inputs, directory, counts, files);
    Manifest manifest = manifest(inputs, files, counts);
    manifest.write(hadoop, directory);
    return manifest;
  }

  private List<ChatFileTask.Done> run(Inputs inputs, Path directory) {
    ChatFileTask task =
        new ChatFileTask(
            new SerializableConfiguration(hadoop),
            directory.toString(),
            tokenizer,
            layout,
            config.validationFraction(),
            seed);
    return new ChatTasks(spark, task).run(inputs, heldOut);
  }

  private static Map<String, Long> counts(List<ChatFileTask.Done> files) {
    Map<String, Long> counts = new TreeMap<>(Map.of("records", 0L, "dropped", 0L));
    for (ChatFileTask.Done file : files) {
      file.counts().forEach((name, count) -> counts.merge(name, count, Long::sum));
      for (ChatSequenceWriter.Written written : file.shards()) {
        Shard shard = written.shard();
        counts.merge(shard.split() + "Sequences", shard.documents(), Long::sum);
        counts.merge("trainedTokens", written.trainedTokens(), Long::sum);
      }
    }
    return counts;
  }

  private void checkUsable(
      Inputs inputs, Path directory, Map<String, Long> counts, List<ChatFileTask.Done> files) {
    long records = counts.get("records");
    long dropped = counts.get("dropped");
    boolean tooMany = dropped > config.maxDroppedFraction() * records;
    if (!tooMany && counts.getOrDefault("trainSequences", 0L) > 0) {
      return;
    }
    String reasons =
        counts.entrySet().stream()
            .filter(count -> count.getKey().startsWith("dropped."))
            .map(count -> count.getKey().substring("dropped.".length()) + " " + count.getValue())
            .collect(Collectors.joining(", "));
    String examples =
        files.stream()
            .flatMap(file -> file.examples().stream())
            .limit(3)
            .collect(Collectors.joining("; "));
    throw new IllegalArgumentException(
        "input %s: %,d of %,d records cannot be used%s, wanted %s; %s"
            .formatted(
                inputs.spec(),
                dropped,
                records,
                dropped == 0 ? "" : " (" + reasons + "; such as " + examples + ")",
                tooMany
                    ? "at most sft.max-dropped-fraction = " + config.maxDroppedFraction()
                    : "at least one conversation outside of validation",
                dropped == 0
                    ? "give conversations, or lower sft.validation-fraction"
                    : "all of them are in " + new Path(directory, DroppedWriter.FOLDER)));
  }

  private Manifest manifest(
      Inputs inputs, List<ChatFileTask.Done> files, Map<String, Long> counts) {
    List<Manifest.OutputFile> all = new ArrayList<>();
    List<Shard> shards = new ArrayList<>();
    for (ChatFileTask.Done file : files) {
      file.shards().forEach(written -> all.addAll(written.files()));
      file.shards().forEach(written -> shards.add(written.shard()));
      all.addAll(file.files());
    }
    List<String> hashes =
        all.stream()
            .filter(file -> !file.path().startsWith(TokenManifest.PROVENANCE))
            .map(Manifest.OutputFile::sha256)
            .toList();
    TokenManifest tokens =
        new TokenManifest(
            layout.dtype(),
            tokenizer.vocabSize(),
            tokenizer.sha256(),
            tokenizer.bosId(),
            tokenizer.eosId(),
            true,
            shards,
            List.of());
    Map<String, Object> extra = new TreeMap<>(tokens.toExtra());
    extra.put("sequenceLength", layout.sequenceLength());
    return Manifest.of(
        KIND, fingerprints(inputs), configHash(), counts, all, Manifest.hashOf(hashes), extra);
  }

  private List<Manifest.Input> fingerprints(Inputs inputs) {
    List<Manifest.Input> fingerprints = new ArrayList<>(inputs.fingerprints());
    heldOut.ifPresent(files -> fingerprints.addAll(files.fingerprints()));
    return fingerprints;
  }

  private String configHash() {
    Map<String, Object> made = new TreeMap<>();
    made.put("format", FORMAT);
    made.put("config", config);
    made.put("sequenceLength", layout.sequenceLength());
    made.put("seed", seed);
    made.put("tokenizer", tokenizer.sha256());
    heldOut.ifPresent(files -> made.put("validation", files.fingerprints()));
    return Manifest.hashOf(made);
  }
}
