package caravan.pipeline.tokenize;

import java.io.Serializable;

/**
 * How documents become token shards.
 *
 * @param validationFraction share of documents for validation, in [0, 1); chosen by the hash of the
 *     text, so that equal texts never lie on both sides
 * @param shardTokens a shard ends with the document that fills it to so many tokens, or a little
 *     later; from 1 to 2^30
 * @param eos whether EOS is written after each document; BOS is written before each in any case
 */
public record TokenizeConfig(double validationFraction, long shardTokens, boolean eos)
    implements Serializable {
  private static final long MAX_SHARD_TOKENS = 1L << 30;

  public TokenizeConfig {
    if (!(validationFraction >= 0 && validationFraction < 1)) {
      throw new IllegalArgumentException(
          "tokenize.validation-fraction: got " + validationFraction + ", wanted 0 to below 1");
    }
    if (shardTokens < 1 || shardTokens > MAX_SHARD_TOKENS) {
      throw new IllegalArgumentException(
          "tokenize.shard-tokens: got " + shardTokens + ", wanted 1 to " + MAX_SHARD_TOKENS);
    }
  }
}
