package caravan.pipeline.tokenize;

import java.util.Locale;

/** Checks of token ids. */
final class Ids {
  private Ids() {}

  static int requireInVocabulary(int id, int vocabSize) {
    if (id < 0 || id >= vocabSize) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "token id %,d is outside the vocabulary of %,d pieces; use the tokenizer that made"
                  + " the ids",
              id,
              vocabSize));
    }
    return id;
  }
}
