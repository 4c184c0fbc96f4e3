package caravan.jobs;

import caravan.model.train.BlendedSequences;
import caravan.model.train.SequenceSource;
import caravan.pipeline.Manifest;
import caravan.pipeline.shard.TokenManifest;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * The directories of token shards that a training reads, one or several by weight.
 *
 * @param weights one per directory; empty for the directories' numbers of sequences
 * @param isolated whether documents of a sequence see nothing of each other
 */
record TrainingTokens(
    Configuration hadoop,
    List<String> directories,
    List<Double> weights,
    int sequenceLength,
    boolean isolated) {

  /**
   * @throws IllegalArgumentException when directories and weights do not fit each other, or the
   *     directories were made with different tokenizers
   */
  TrainingTokens {
    if (directories.isEmpty()) {
      throw new IllegalArgumentException("tokens: got [], wanted a directory of token shards");
    }
    if (!weights.isEmpty() && weights.size() != directories.size()) {
      throw new IllegalArgumentException(
          "token-weights: got %d for %d directories of tokens, wanted one for each, or none"
              .formatted(weights.size(), directories.size()));
    }
    if (new HashSet<>(directories).size() < directories.size()) {
      throw new IllegalArgumentException(
          "tokens: got %s, wanted each directory once; token-weights tells how often it is read"
              .formatted(directories));
    }
    String first = manifest(hadoop, directories.get(0)).tokenizerSha256();
    for (String directory : directories) {
      String sha256 = manifest(hadoop, directory).tokenizerSha256();
      if (!sha256.equals(first)) {
        throw new IllegalArgumentException(
            "tokens: %s was made with tokenizer sha256 %.12s…, %s with %.12s…; tokenize both with one tokenizer"
                .formatted(directories.get(0), first, directory, sha256));
      }
    }
  }

  private static TokenManifest manifest(Configuration hadoop, String directory) {
    return TokenManifest.read(hadoop, new Path(directory));
  }

  /** What is trained on. */
  SequenceSource training() {
    List<SequenceSource> sources = new ArrayList<>();
    for (String directory : directories) {
      sources.add(
          ShardSequences.open(hadoop, directory, TokenManifest.TRAIN, sequenceLength, isolated));
    }
    return blended(directories, sources, sources);
  }

  /** The validation splits, in the shares in which their directories are trained on. */
  Optional<SequenceSource> validation() {
    List<SequenceSource> held = new ArrayList<>();
    List<SequenceSource> trained = new ArrayList<>();
    List<String> holding = new ArrayList<>();
    for (String directory : directories) {
      ShardSequences.find(hadoop, directory, TokenManifest.VALIDATION, sequenceLength, isolated)
          .ifPresent(
              source -> {
                held.add(source);
                holding.add(directory);
                trained.add(
                    ShardSequences.open(
                        hadoop, directory, TokenManifest.TRAIN, sequenceLength, isolated));
              });
    }
    return held.isEmpty() ? Optional.empty() : Optional.of(blended(holding, held, trained));
  }

  /**
   * @param trained whose sizes are the weights where none are given
   */
  private SequenceSource blended(
      List<String> from, List<SequenceSource> sources, List<SequenceSource> trained) {
    if (sources.size() == 1) {
      return sources.get(0);
    }
    Map<String, String> names = names();
    List<BlendedSequences.Part> parts = new ArrayList<>();
    for (int i = 0; i < sources.size(); i++) {
      String directory = from.get(i);
      double weight =
          weights.isEmpty() ? trained.get(i).size() : weights.get(directories.indexOf(directory));
      parts.add(
          new BlendedSequences.Part(
              names.get(directory), contentHash(directory), sources.get(i), weight));
    }
    return new BlendedSequences(parts);
  }

  /** Of each directory: its own name, or its whole path where others have the same name. */
  private Map<String, String> names() {
    Map<String, String> names = new LinkedHashMap<>();
    for (String directory : directories) {
      String name = new Path(directory).getName();
      boolean alone =
          directories.stream().filter(d -> new Path(d).getName().equals(name)).count() == 1;
      names.put(directory, alone ? name : directory);
    }
    return names;
  }

  /** Tells these data from others. */
  String fingerprint() {
    List<String> hashes = directories.stream().map(this::contentHash).toList();
    return hashes.size() == 1 ? hashes.get(0) : Manifest.hashOf(hashes);
  }

  private String contentHash(String directory) {
    return Manifest.read(hadoop, new Path(directory), Manifest.TOKENS).contentHash();
  }

  /** What tokenizing counted, of each directory by the name that it has in a training's metrics. */
  Map<String, List<TokenManifest.SourceShare>> sources() {
    Map<String, List<TokenManifest.SourceShare>> sources = new LinkedHashMap<>();
    names().forEach((directory, name) -> sources.put(name, manifest(hadoop, directory).sources()));
    return sources;
  }
}
