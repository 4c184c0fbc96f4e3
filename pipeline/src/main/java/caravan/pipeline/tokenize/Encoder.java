package caravan.pipeline.tokenize;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** What encodes texts by a SentencePiece model. All give the same ids. */
public enum Encoder {
  /** Spark NLP's native SentencePiece, {@link SentencePieceTokenizer}: the oracle. */
  SPARK_NLP,

  /** Java alone, {@link FastSentencePiece}. */
  FAST;

  /**
   * The tokenizer of a model file's bytes.
   *
   * @param location where the bytes come from, for error messages
   * @throws IllegalArgumentException if this encoder has no use for them
   */
  public SentencePiece open(byte[] model, String location) {
    return this == FAST
        ? FastSentencePiece.of(model, location)
        : SentencePieceTokenizer.of(model, location);
  }

  @JsonValue
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
