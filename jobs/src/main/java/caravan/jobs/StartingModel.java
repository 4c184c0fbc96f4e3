package caravan.jobs;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.SpecialTokens;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.tokenize.SentencePieceTokenizer;
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
   * @throws IllegalArgumentException when the base was made for other ids than the shards hold, or
   *     for shorter sequences
   */
  static StartingModel open(
      String tokens,
      Optional<String> base,
      ModelConfig model,
      int sequenceLength,
      Configuration hadoop) {
    TokenManifest shards = TokenManifest.read(hadoop, new Path(tokens));
    return base.map(path -> trained(path, shards, model.context(), sequenceLength, hadoop))
        .orElseGet(() -> untrained(tokens, shards, model, sequenceLength, hadoop));
  }

  private static StartingModel untrained(
      String tokens,
      TokenManifest shards,
      ModelConfig model,
      int sequenceLength,
      Configuration hadoop) {
    SentencePieceTokenizer tokenizer = Tokenizers.read(tokens, hadoop);
    shards.requireTokenizer(tokenizer);
    return new StartingModel(
        model.llama(shards.vocabSize(), sequenceLength),
        Optional.empty(),
        SpecialTokens.of(tokenizer.bosId(), tokenizer.eosId()),
        Tokenizers.files(tokenizer));
  }

  private static StartingModel trained(
      String path,
      TokenManifest shards,
      ModelContext context,
      int sequenceLength,
      Configuration hadoop) {
    Checkpoint base = Checkpoints.open(path, hadoop);
    try {
      shards.requireModelVocabulary(base.config().vocabSize());
      byte[] tokenizer = base.tokenizerFiles().get(Tokenizers.FILE);
      if (tokenizer != null) {
        shards.requireTokenizer(SentencePieceTokenizer.of(tokenizer, path));
      }
      LlamaConfig shape = context.of(base.config());
      if (shape.contextLength() < sequenceLength) {
        throw new IllegalArgumentException(
            "train.sequence-length: got %,d, but the context of %s is %,d; lower it, or extend the context by model.rope-scaling"
                .formatted(sequenceLength, path, shape.contextLength()));
      }
      return new StartingModel(
          shape, Optional.of(base), base.specialTokens(), base.tokenizerFiles());
    } catch (RuntimeException e) {
      base.close();
      throw e;
    }
  }

  long parameterCount() {
    return new ParameterLayout(shape).length();
  }

  Optional<FloatPointer> parameters() {
    return base.map(Checkpoint::parameters);
  }

  @Override
  public void close() {
    base.ifPresent(Checkpoint::close);
  }
}
