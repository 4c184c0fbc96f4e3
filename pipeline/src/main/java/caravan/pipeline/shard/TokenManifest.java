package caravan.pipeline.shard;

import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.tokenize.Tokenizer;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.io.Serializable;
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
 * @param shards all splits' shards, in order
 * @param sources training documents per source and language, before and after mixing, sorted; empty
 *     where nobody counted them
 * @param format which other programs open the shards
 * @param encoder what encoded the texts; every encoder gives the same ids
 */
public record TokenManifest(
    TokenType dtype,
    int vocabSize,
    String tokenizerSha256,
    int bosId,
    int eosId,
    boolean eos,
    List<Shard> shards,
    List<SourceShare> sources,
    ShardFormat format,
    String encoder) {

  /** The split that models learn from. */
  public static final String TRAIN = "train";

  /** The split that models are measured on. */
  public static final String VALIDATION = "validation";

  /** The split that is opened once, at the end. */
  public static final String TEST = "test";

  /** Every split, in the order of the shards. */
  public static final List<String> SPLITS = List.of(TRAIN, VALIDATION, TEST);

  /** Folder of the files that say which document lies where. */
  public static final String PROVENANCE = "provenance";

  /**
   * One shard.
   *
   * @param split {@link #TRAIN}, {@link #VALIDATION} or {@link #TEST}
   * @param index from 0 in its split
   * @param tokens all of them, BOS and EOS included
   * @param sha256 of the {@code .bin} file
   * @param name path of its files without their endings, such as {@code train/shard-00000}
   */
  public record Shard(
      String split, int index, long tokens, long documents, String sha256, String name)
      implements Serializable {
    public Shard {
      // Manifests of before do not name them.
      if (name == null) name = ShardFormat.CARAVAN.shardName(split, index, 0);
    }

    /** A shard of the format {@link ShardFormat#CARAVAN}. */
    public Shard(String split, int index, long tokens, long documents, String sha256) {
      this(split, index, tokens, documents, sha256, null);
    }

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

    /** {@code train/shard-00000.idx}: Megatron's index, in its format. */
    public String indexPath() {
      return name() + ".idx";
    }
  }

  /**
   * What training takes from one source in one language.
   *
   * @param documents in the training split before mixing
   * @param tokens theirs, BOS and EOS included
   * @param epochs how often each document was to be written
   * @param writtenDocuments in the shards, repeats counted
   * @param writtenTokens theirs
   */
  public record SourceShare(
      String source,
      String language,
      long documents,
      long tokens,
      double epochs,
      long writtenDocuments,
      long writtenTokens) {
    /** How often a token of these was written on average: near {@code epochs}. */
    @JsonProperty(access = JsonProperty.Access.READ_ONLY)
    public double effectiveEpochs() {
      return Math.round(1e4 * writtenTokens / tokens) / 1e4;
    }
  }

  public TokenManifest {
    shards = List.copyOf(shards);
    // Manifests of before lack these.
    sources = sources == null ? List.of() : List.copyOf(sources);
    format = format == null ? ShardFormat.CARAVAN : format;
    encoder = encoder == null ? "" : encoder;
  }

  /** Shards of the format {@link ShardFormat#CARAVAN} by nobody's encoder. */
  public TokenManifest(
      TokenType dtype,
      int vocabSize,
      String tokenizerSha256,
      int bosId,
      int eosId,
      boolean eos,
      List<Shard> shards,
      List<SourceShare> sources) {
    this(dtype, vocabSize, tokenizerSha256, bosId, eosId, eos, shards, sources, null, null);
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
