package caravan.pipeline.tokenize;

/** A tokenizer that is a SentencePiece model file. */
public interface SentencePiece extends Tokenizer {
  /** The parsed model file. */
  SentencePieceModel model();

  /** A copy of the model file. */
  byte[] toBytes();
}
