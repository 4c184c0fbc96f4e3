package caravan.pipeline.shard;

import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.tokenize.Tokenizer;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * What {@code manifest.json} says of token shards, beside what it says of every output.
 *
 * @param dtype how an id is stored
 * @param vocabSize ids are in {@code [0, vocabSize)}
 * @param tokenizerSha256 of the tokenizer.model that made the ids
 * @param bosId the id before each document
 * @param eosId the id after each document
 * @param eos whether {@code eosId} was written after each document
 * @param shards both splits' shards, in order
 */
public record TokenManifest(
    TokenType dtype,
    int vocabSize,
    String tokenizerSha256,
    int bosId,
    int eosId,
    boolean eos,
    List<Shard> shards) {

  /** The split that models learn from. */
  public static final String TRAIN = "train";

  /** The split that models are measured on. */
  public static final String VALIDATION = "validation";

  /** Folder of the files that say which document lies where. */
  public static final String PROVENANCE = "provenance";

  /**
   * One shard.
   *
   * @param split {@link #TRAIN} or {@link #VALIDATION}
   * @param index from 0 in its split
   * @param tokens all of them, BOS and EOS included
   * @param sha256 of the {@code .bin} file
   */
  public record Shard(String split, int index, long tokens, long documents, String sha256) {
    /** {@code train/shard-00000.bin}: the ids. */
    public String tokensPath() {
      return name() + ".bin";
    }

    /** {@code train/shard-00000.bounds}: each document's end in tokens, int64 little-endian. */
    public String boundsPath() {
      return name() + ".bounds";
    }

    /** {@code provenance/train-00000.parquet}: shard, start, end, id, source. */
    public String provenancePath() {
      return String.format(Locale.ROOT, "%s/%s-%05d.parquet", PROVENANCE, split, index);
    }

    /** {@code train/shard-00000}. */
    public String name() {
      return String.format(Locale.ROOT, "%s/shard-%05d", split, index);
    }
  }

  public TokenManifest {
    shards = List.copyOf(shards);
  }

  /**
   * Reads the manifest of finished token shards. File sizes are checked when a shard is opened.
   *
   * @throws IllegalArgumentException if there is none, or the directory holds something else
   */
  public static TokenManifest read(Configuration conf, Path directory) {
    Manifest manifest =
        Manifest.find(conf, directory)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        directory
                            + ": no "
                            + Manifest.FILE_NAME
                            + ", so no finished token shards; run tokenize"));
    if (!manifest.kind().equals(Manifest.TOKENS)) {
      throw new IllegalArgumentException(
          directory + ": holds " + manifest.kind() + ", wanted " + Manifest.TOKENS);
    }
    return of(manifest);
  }

  /** The view of a manifest of kind {@link Manifest#TOKENS}. */
  public static TokenManifest of(Manifest manifest) {
    return Json.MAPPER.convertValue(manifest.extra(), TokenManifest.class);
  }

  /** As {@link Manifest#extra} keeps it. */
  @SuppressWarnings("unchecked")
  public Map<String, Object> toExtra() {
    return Json.MAPPER.convertValue(this, Map.class);
  }

  /** The shards of a split, in order; empty if the split has no document. */
  public List<Shard> shards(String split) {
    return shards.stream().filter(shard -> shard.split().equals(split)).toList();
  }

  /**
   * Checks that ids mean what a tokenizer says they mean.
   *
   * @throws IllegalArgumentException if another tokenizer made the shards
   */
  public void requireTokenizer(Tokenizer tokenizer) {
    if (!tokenizer.sha256().equals(tokenizerSha256)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "token shards: made with tokenizer sha256 %.12s… (%,d pieces), got tokenizer sha256"
                  + " %.12s… (%,d pieces); re-run tokenize with this tokenizer, or use the other",
              tokenizerSha256,
              vocabSize,
              tokenizer.sha256(),
              tokenizer.vocabSize()));
    }
  }

  /**
   * Checks that a model has an embedding for every id.
   *
   * @throws IllegalArgumentException if the model's vocabulary is smaller
   */
  public void requireModelVocabulary(int modelVocabSize) {
    if (modelVocabSize < vocabSize) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "token shards: ids up to %,d, the model has embeddings for %,d; set"
                  + " model.vocab-size=%d, or re-run tokenize with the model's own tokenizer",
              vocabSize - 1,
              modelVocabSize,
              vocabSize));
    }
  }
}
