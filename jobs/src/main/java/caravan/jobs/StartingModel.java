package caravan.jobs;

import caravan.model.Adaptation;
import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.SpecialTokens;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.tokenize.Encoder;
import caravan.pipeline.tokenize.SentencePieceTokenizer;
import caravan.pipeline.tokenize.Tokenizer;
import caravan.pipeline.tokenize.TokenizerFiles;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.bytedeco.javacpp.FloatPointer;

/**
 * What a training on token shards starts from: a base checkpoint, or a shape whose weights are to
 * be drawn.
 *
 * @param base the checkpoint, closed with this
 * @param tokenizerFiles what the new checkpoints carry
 */
record StartingModel(
    LlamaConfig shape,
    Optional<Checkpoint> base,
    SpecialTokens specialTokens,
    Map<String, byte[]> tokenizerFiles)
    implements AutoCloseable {

  /**
   * @param tokens directory of the shards
   * @param model the shape where there is no base, and how the base is to be read
   * @param grow the rows of a base whose vocabulary the shards' tokenizer extends
   * @param lora adapters to train beside the base
   * @throws IllegalArgumentException when the base was made for other ids than the shards hold, or
   *     for shorter sequences
   */
  static StartingModel open(
      String tokens,
      Optional<String> base,
      ModelConfig model,
      GrowConfig grow,
      LoraSettings lora,
      long seed,
      int sequenceLength,
      Configuration hadoop) {
    TokenManifest shards = TokenManifest.read(hadoop, new Path(tokens));
    return base.map(
            path ->
                trained(
                    fitting(path, tokens, shards, grow, lora, seed, hadoop),
                    path,
                    model.context(),
                    lora,
                    seed,
                    sequenceLength,
                    hadoop))
        .orElseGet(() -> untrained(tokens, shards, model, lora, sequenceLength, hadoop));
  }

  private static StartingModel untrained(
      String tokens,
      TokenManifest shards,
      ModelConfig model,
      LoraSettings lora,
      int sequenceLength,
      Configuration hadoop) {
    if (lora.rank() > 0) {
      throw new IllegalArgumentException(
          "lora.rank: got %d without a checkpoint, wanted a base to put adapters beside; set checkpoint=…"
              .formatted(lora.rank()));
    }
    Tokenizer tokenizer = Tokenizers.read(tokens, hadoop);
    shards.requireTokenizer(tokenizer);
    return new StartingModel(
        model.llama(shards.vocabSize(), sequenceLength),
        Optional.empty(),
        SpecialTokens.of(tokenizer.bosId(), tokenizer.eosId()),
        Tokenizers.files(tokenizer));
  }

  /**
   * The base checkpoint with a row for every id of the shards: as it is, or grown where the shards'
   * tokenizer extends its own.
   */
  private static Checkpoint fitting(
      String path,
      String tokens,
      TokenManifest shards,
      GrowConfig grow,
      LoraSettings lora,
      long seed,
      Configuration hadoop) {
    Checkpoint base = Checkpoints.open(path, hadoop, lora.base());
    try {
      if (!TokenizerFiles.hasTokenizer(base.tokenizerFiles())) {
        shards.requireModelVocabulary(base.config().vocabSize());
        return base;
      }
      Tokenizer tokenizer = TokenizerFiles.open(base.tokenizerFiles(), Encoder.SPARK_NLP, path);
      if (tokenizer.sha256().equals(shards.tokenizerSha256())) {
        shards.requireModelVocabulary(base.config().vocabSize());
        return base;
      }
      Tokenizer other = Tokenizers.read(tokens, hadoop);
      shards.requireTokenizer(other);
      if (!(tokenizer instanceof SentencePieceTokenizer
          && other instanceof SentencePieceTokenizer extended
          && GrowConfig.isExtended(path, base, extended))) {
        shards.requireTokenizer(tokenizer);
        throw new IllegalStateException("two tokenizers of one SHA-256");
      }
      Checkpoint grown = grow.grow(path, base, extended, seed);
      base.close();
      System.out.printf(
          "pretrain: %,d rows for new token ids, from %,d to %,d (grow.rows=%s)%n",
          other.vocabSize() - tokenizer.vocabSize(),
          tokenizer.vocabSize(),
          other.vocabSize(),
          grow.rows());
      return grown;
    } catch (RuntimeException e) {
      base.close();
      throw e;
    }
  }

  private static StartingModel trained(
      Checkpoint base,
      String path,
      ModelContext context,
      LoraSettings lora,
      long seed,
      int sequenceLength,
      Configuration hadoop) {
    try {
      LlamaConfig shape = context.of(base.config());
      if (shape.contextLength() < sequenceLength) {
        throw new IllegalArgumentException(
            "train.sequence-length: got %,d, but the context of %s is %,d; lower it, or extend the context by model.rope-scaling"
                .formatted(sequenceLength, path, shape.contextLength()));
      }
      Checkpoint start = lora.start(path, base, shape, seed, hadoop);
      return new StartingModel(
          shape, Optional.of(start), base.specialTokens(), base.tokenizerFiles());
    } catch (RuntimeException e) {
      base.close();
      throw e;
    }
  }

  long parameterCount() {
    return base.map(StartingModel::trained).orElseGet(() -> new ParameterLayout(shape).length());
  }

  /** Number of parameters that a training of this checkpoint trains. */
  static long trained(Checkpoint start) {
    return start
        .adaptation()
        .map(a -> new AdapterLayout(start.config(), a.lora()).length())
        .orElseGet(() -> new ParameterLayout(start.config()).length());
  }

  /** The adapters that are trained, where not all parameters are. */
  Optional<Adaptation> adaptation() {
    return base.flatMap(Checkpoint::adaptation);
  }

  Optional<FloatPointer> parameters() {
    return base.map(Checkpoint::parameters);
  }

  @Override
  public void close() {
    base.ifPresent(Checkpoint::close);
  }
}
