package caravan.pipeline.tokenize;

import caravan.pipeline.shard.ShardFormat;
import caravan.pipeline.shard.TokenManifest;
import java.io.Serializable;
import java.util.List;

/**
 * How documents become token shards: section {@code tokenize} of reference.conf, which explains
 * each.
 *
 * <p>A document's split follows from its text alone, so it stays when the corpus grows or moves: a
 * hash of the text is a number in [0, 1); below {@code validationFraction} lies validation, from 1
 * − {@code testFraction} on lies test, so that changing one fraction moves nothing into or out of
 * the other split.
 *
 * @param validationFraction share of the documents for validation, in [0, 1)
 * @param testFraction share of the documents for test, in [0, 1); the two sum to less than 1
 * @param validationInput inputs that are validation as a whole, beside that share
 * @param testInput inputs that are test as a whole, beside that share
 * @param mixture how often training sees which source and language; empty: everything once
 * @param shardTokens a shard ends with the document that fills it to so many tokens, or a little
 *     later; from 1 to 2^30
 * @param eos whether EOS is written after each document, where the format takes it; BOS is written
 *     before each in any case
 * @param encoder what encodes the texts
 * @param format which other programs open the shards
 */
public record TokenizeConfig(
    double validationFraction,
    double testFraction,
    List<String> validationInput,
    List<String> testInput,
    List<MixtureRule> mixture,
    long shardTokens,
    boolean eos,
    Encoder encoder,
    ShardFormat format)
    implements Serializable {
  private static final long MAX_SHARD_TOKENS = 1L << 30;

  public TokenizeConfig {
    validationInput = List.copyOf(validationInput);
    testInput = List.copyOf(testInput);
    mixture = List.copyOf(mixture);
    checkFraction("validation-fraction", validationFraction);
    checkFraction("test-fraction", testFraction);
    if (validationFraction + testFraction >= 1) {
      throw new IllegalArgumentException(
          "tokenize.validation-fraction and tokenize.test-fraction: got "
              + validationFraction
              + " and "
              + testFraction
              + ", wanted a sum below 1: the rest is for training");
    }
    if (shardTokens < 1 || shardTokens > MAX_SHARD_TOKENS) {
      throw new IllegalArgumentException(
          "tokenize.shard-tokens: got " + shardTokens + ", wanted 1 to " + MAX_SHARD_TOKENS);
    }
  }

  /** Hash splits alone: no held-out files, no mixture, no test split; the defaults else. */
  public static TokenizeConfig of(double validationFraction, long shardTokens, boolean eos) {
    return new TokenizeConfig(
        validationFraction,
        0,
        List.of(),
        List.of(),
        List.of(),
        shardTokens,
        eos,
        Encoder.SPARK_NLP,
        ShardFormat.CARAVAN);
  }

  /** The same by another encoder, in another format. */
  public TokenizeConfig with(Encoder otherEncoder, ShardFormat otherFormat) {
    return new TokenizeConfig(
        validationFraction,
        testFraction,
        validationInput,
        testInput,
        mixture,
        shardTokens,
        eos,
        otherEncoder,
        otherFormat);
  }

  /** Whether EOS is written after each document. */
  boolean writesEos() {
    return eos && format.takesEos();
  }

  boolean hasTest() {
    return testFraction > 0 || !testInput.isEmpty();
  }

  /**
   * The split of a text that no held-out input decides.
   *
   * @param content hash of the text, 64 bits
   */
  String split(long content) {
    double place = (content >>> 11) * 0x1p-53;
    if (place < validationFraction) {
      return TokenManifest.VALIDATION;
    }
    return place >= 1 - testFraction ? TokenManifest.TEST : TokenManifest.TRAIN;
  }

  private static void checkFraction(String name, double value) {
    if (!(value >= 0 && value < 1)) {
      throw new IllegalArgumentException(
          "tokenize." + name + ": got " + value + ", wanted 0 to below 1");
    }
  }
}
