package caravan.pipeline.tokenize;

import caravan.pipeline.Inputs;
import caravan.pipeline.tokenize.CountedSegments.Compact;
import caravan.pipeline.tokenize.CountedSegments.Frequent;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Learns a vocabulary from a whole corpus: Spark counts its distinct segments in one pass over the
 * documents and cuts them where no piece can lie ({@link FrequentPairs}); the driver merges what is
 * left ({@link BpeTrainer}).
 *
 * <p>Which pairs of characters are frequent enough is guessed by rank, from the vocabulary's size,
 * and checked: if a merge is rarer than the rarest of these pairs, the cuts may have taken some of
 * its occurrences, and more pairs are taken, until every merge is that of whole segments.
 */
public final class TokenizerTrainer {
  /** Pairs kept for each piece to learn, at first; four times as many each time it is too few. */
  private static final int PAIRS_PER_PIECE = 2;

  private static final Logger log = LoggerFactory.getLogger(TokenizerTrainer.class);

  /**
   * What was learned, and from how much.
   *
   * @param records documents, unreadable records and those put aside
   * @param unreadable records that are broken or not UTF-8
   * @param putAside records too large, or of a crawl or wiki no page or article
   * @param segments distinct segments that the driver saw
   * @param sampledBelow segments of fewer occurrences were sampled; 1 if none was
   */
  public record Trained(
      SentencePieceModel model,
      long records,
      long unreadable,
      long putAside,
      long segments,
      long sampledBelow) {}

  private record Learned(List<String> merges, Compact compact) {}

  private final TokenizerConfig config;
  private final long seed;
  private final double maxBrokenFraction;

  /**
   * @param seed of the sample of rare segments, where there are too many
   * @param maxBrokenFraction share of the records that may be unreadable, 0 to 1
   */
  public TokenizerTrainer(TokenizerConfig config, long seed, double maxBrokenFraction) {
    this.config = config;
    this.seed = seed;
    this.maxBrokenFraction = maxBrokenFraction;
  }

  /**
   * @param inputs where the documents come from, for error messages
   * @param documents rows of {@link caravan.pipeline.Documents#SCHEMA}
   * @throws IllegalArgumentException if there is no text, too much of it is unreadable, or the
   *     vocabulary is too small for its characters or larger than it can fill
   */
  public Trained train(Inputs inputs, Dataset<Row> documents) {
    try (CountedSegments counted = SegmentCounter.count(documents, SegmentSplitter.of(config))) {
      long records = counted.counted(SegmentCounter.RECORDS);
      long unreadable = counted.counted(SegmentCounter.UNREADABLE);
      long putAside = counted.counted(SegmentCounter.PUT_ASIDE);
      UnreadableRecords.check(inputs, documents, unreadable, records, maxBrokenFraction);
      Map<Integer, Long> characters = counted.characters();
      requireText(inputs, records, putAside, characters);
      Alphabet alphabet = Alphabet.of(characters, config.characterCoverage(), config.symbols());
      VocabularyLayout layout = new VocabularyLayout(config, alphabet);
      int wanted = layout.learnedPieces();
      if (config.kind() == TokenizerConfig.Kind.CHAR) {
        return new Trained(layout.characters(), records, unreadable, putAside, alphabet.size(), 1);
      }
      Learned learned = learn(counted, alphabet, wanted);
      if (learned.merges.size() < wanted) throw layout.tooLarge(learned.merges.size());
      return new Trained(
          layout.bpe(learned.merges),
          records,
          unreadable,
          putAside,
          learned.compact.segments().size(),
          learned.compact.threshold());
    }
  }

  private Learned learn(CountedSegments counted, Alphabet alphabet, int wanted) {
    for (long limit = (long) PAIRS_PER_PIECE * wanted; ; limit *= 4) {
      Frequent frequent = counted.frequentPairs(alphabet, limit);
      Compact compact = counted.compact(frequent.pairs(), config.maxSegmentCharacters(), seed);
      log.info(
          String.format(
              Locale.ROOT,
              "train-tokenizer: %,d characters, pairs of %,d occurrences: %,d segments, %,d"
                  + " characters, sampled below %,d occurrences",
              alphabet.size(),
              frequent.least(),
              compact.segments().size(),
              compact.segments().length() - compact.segments().size(),
              compact.threshold()));
      List<String> merges =
          BpeTrainer.learn(compact.segments(), alphabet, config, wanted, frequent.least());
      if (merges.size() == wanted || frequent.least() == 1) return new Learned(merges, compact);
      log.info(
          "train-tokenizer: {} of {} pieces are frequent enough; more pairs are taken",
          merges.size(),
          wanted);
    }
  }

  private static void requireText(
      Inputs inputs, long records, long putAside, Map<Integer, Long> characters) {
    // Every text begins with a space for the encoder.
    if (characters.keySet().stream().anyMatch(c -> c != PieceRules.SPACE)) return;
    throw new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "input %s: no text in %,d records, of which %,d were put aside (too large, no page),"
                + " wanted text to learn from; check read.format, text-field and"
                + " read.max-document-characters",
            inputs.spec(),
            records,
            putAside));
  }
}
