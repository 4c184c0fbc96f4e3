package caravan.jobs;

import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.VocabularyGrowth;
import caravan.pipeline.tokenize.ExtendedVocabulary;
import caravan.pipeline.tokenize.SentencePiece;
import caravan.pipeline.tokenize.SentencePieceModel;
import caravan.pipeline.tokenize.SentencePieceTokenizer;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The keys under {@code grow}: the embedding and head rows that a checkpoint gets when it is used
 * with a tokenizer that extends its own.
 *
 * @param rows what new rows are made of
 * @param covarianceScale of drawn rows, 0 to 1
 */
record GrowConfig(VocabularyGrowth.Rows rows, double covarianceScale) {
  /** Of a base's files, what does not depend on its vocabulary. */
  private static final String CHAT_TEMPLATE = "chat_template.jinja";

  /**
   * The checkpoint with rows for all pieces of a tokenizer. It owns its parameters; the base keeps
   * its.
   *
   * @param path where the base was read from, for messages
   * @throws IllegalArgumentException when the base has no SentencePiece tokenizer, or the one given
   *     does not extend it
   */
  Checkpoint grow(String path, Checkpoint base, SentencePieceTokenizer tokenizer, long seed) {
    SentencePieceModel own =
        ownModel(path, base)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "%s: it has embeddings for %,d ids, the tokenizer %,d pieces, and there is no %s in it to tell which are new; import it with its own tokenizer first, then with the extended one"
                            .formatted(
                                path,
                                base.config().vocabSize(),
                                tokenizer.vocabSize(),
                                Tokenizers.FILE)));
    ExtendedVocabulary.difference(own, tokenizer.model())
        .ifPresent(
            difference -> {
              throw new IllegalArgumentException(
                  "%s: the tokenizer of %,d pieces is neither its own (%,d pieces) nor an extension of it: %s; use the model's own tokenizer, or one that extend-tokenizer makes from it"
                      .formatted(path, tokenizer.vocabSize(), own.pieces().size(), difference));
            });
    Map<String, byte[]> files = new HashMap<>(Tokenizers.files(tokenizer));
    Optional.ofNullable(base.tokenizerFiles().get(CHAT_TEMPLATE))
        .ifPresent(template -> files.put(CHAT_TEMPLATE, template));
    return new VocabularyGrowth(rows, covarianceScale, seed)
        .grow(
            base,
            own.pieces().size(),
            ExtendedVocabulary.of(own, tokenizer.model()).oldIds(),
            files);
  }

  /** Whether a checkpoint carries another SentencePiece tokenizer than this, which extends it. */
  static boolean isExtended(String path, Checkpoint base, SentencePiece tokenizer) {
    return ownModel(path, base)
        .filter(own -> own.pieces().size() < tokenizer.vocabSize())
        .filter(own -> ExtendedVocabulary.difference(own, tokenizer.model()).isEmpty())
        .isPresent();
  }

  private static Optional<SentencePieceModel> ownModel(String path, Checkpoint base) {
    return Optional.ofNullable(base.tokenizerFiles().get(Tokenizers.FILE))
        .map(file -> SentencePieceModel.parse(file, path + "/" + Tokenizers.FILE));
  }
}
