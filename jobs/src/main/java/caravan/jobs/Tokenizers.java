package caravan.jobs;

import caravan.pipeline.Json;
import caravan.pipeline.Storage;
import caravan.pipeline.tokenize.Encoder;
import caravan.pipeline.tokenize.SentencePiece;
import caravan.pipeline.tokenize.SentencePieceTokenizer;
import caravan.pipeline.tokenize.TrainTokenizerStage;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** Where tokenizers lie. */
final class Tokenizers {
  /** Name of a SentencePiece model, beside token shards and in checkpoints. */
  static final String FILE = "tokenizer.model";

  private Tokenizers() {}

  /** What a checkpoint carries of a tokenizer, so that transformers opens it too; by file name. */
  static Map<String, byte[]> files(SentencePieceTokenizer tokenizer) {
    return Map.of(
        FILE,
        tokenizer.toBytes(),
        TrainTokenizerStage.CONFIG_FILE,
        Json.bytes(tokenizer.model().transformersConfig()));
  }

  /**
   * @param location a tokenizer.model, or a directory that holds one
   * @throws IllegalArgumentException when there is none
   */
  static SentencePieceTokenizer read(String location, Configuration hadoop) {
    return (SentencePieceTokenizer) read(location, Encoder.SPARK_NLP, hadoop);
  }

  /**
   * As above, by a chosen encoder.
   *
   * @throws IllegalArgumentException when there is none, or the encoder has no use for it
   */
  static SentencePiece read(String location, Encoder encoder, Configuration hadoop) {
    Storage storage = new Storage(hadoop);
    Path path = new Path(location);
    Path file =
        storage.status(path).filter(status -> status.isDirectory()).isPresent()
            ? new Path(path, FILE)
            : path;
    if (!storage.exists(file)) {
      throw new IllegalArgumentException(
          "tokenizer %s: no such file; wanted a tokenizer.model, as train-tokenizer makes"
              .formatted(file));
    }
    return encoder.open(storage.read(file), file.toString());
  }
}
