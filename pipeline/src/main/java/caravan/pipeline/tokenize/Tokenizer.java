package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.util.Map;

/**
 * Text to token ids and back. Implementations are thread-safe, and serializable so that a Spark
 * task can carry them.
 */
public interface Tokenizer extends Serializable {
  /**
   * Appends the ids of a text.
   *
   * @param text any text; an unpaired surrogate counts as U+FFFD
   * @param ids receives the ids, without special tokens (no BOS, no EOS)
   */
  void encodeTo(String text, TokenBuffer ids);

  /** The ids of a text, without special tokens. The empty text has none. */
  default int[] encode(String text) {
    TokenBuffer ids = new TokenBuffer();
    encodeTo(text, ids);
    return ids.toArray();
  }

  /**
   * The text of a run of ids. Control tokens (BOS, EOS) give no text; bytes that form no UTF-8
   * character give U+FFFD each.
   *
   * @throws IllegalArgumentException if an id is outside the vocabulary
   */
  String decode(int... ids);

  /** Number of ids; every id is in {@code [0, vocabSize)}. */
  int vocabSize();

  /** The id that opens a document, or -1 if the vocabulary has none. */
  int bosId();

  /** The id that ends a document, or -1 if the vocabulary has none. */
  int eosId();

  /** The id of text that the vocabulary cannot express. */
  int unkId();

  /**
   * The piece of an id as the vocabulary writes it, such as {@code ▁the} or {@code <0x0A>}.
   *
   * @throws IllegalArgumentException if the id is outside the vocabulary
   */
  String piece(int id);

  /** SHA-256 of the tokenizer file in lower-case hexadecimal: two equal ones give equal ids. */
  String sha256();

  /** The files that it is read from, by name ({@link TokenizerFiles}); none where it has others. */
  default Map<String, byte[]> files() {
    return Map.of();
  }
}
