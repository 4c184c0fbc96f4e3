package caravan.pipeline.tokenize;

import java.util.Map;

/** A tokenizer that is a SentencePiece model file. */
public interface SentencePiece extends Tokenizer {
  /** The parsed model file. */
  SentencePieceModel model();

  /** A copy of the model file. */
  byte[] toBytes();

  @Override
  default Map<String, byte[]> files() {
    return Map.of(TrainTokenizerStage.MODEL_FILE, toBytes());
  }
}
