package caravan.pipeline.tokenize;

import java.util.List;

/** Vocabularies learned without Spark, from whole segments: what the Spark path must equal. */
final class TrainingAtHand {
  private TrainingAtHand() {}

  static SentencePieceModel train(TokenizerConfig config, Iterable<String> documents) {
    SegmentCounts segments = SegmentCounts.of(documents, SegmentSplitter.of(config));
    Alphabet alphabet =
        Alphabet.of(segments.characters(), config.characterCoverage(), config.symbols());
    VocabularyLayout layout = new VocabularyLayout(config, alphabet);
    int wanted = layout.learnedPieces();
    if (config.kind() == TokenizerConfig.Kind.CHAR) return layout.characters();
    List<String> merges = BpeTrainer.learn(segments, alphabet, config, wanted, 1);
    if (merges.size() < wanted) throw layout.tooLarge(merges.size());
    return layout.bpe(merges);
  }
}
