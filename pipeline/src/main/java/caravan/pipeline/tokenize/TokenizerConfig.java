package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.util.HashSet;
import java.util.List;

/**
 * How a vocabulary is learned.
 *
 * @param vocabSize ids in all: 3 special, 256 bytes, the symbols, single characters, and merges;
 *     from 260 to 1,000,000
 * @param characterCoverage share of the text's characters that get a piece of their own, in [0.98,
 *     1]; the rarest fall back to bytes
 * @param maxPieceLength code points in a piece at most, from 1 to 512
 * @param splitDigits whether each digit is a piece of its own, never part of a longer one
 * @param userDefinedSymbols texts that are always one piece, with ids after the bytes
 * @param sampleCharacters learn from about so many code points, chosen by document; from 1,000
 */
public record TokenizerConfig(
    int vocabSize,
    double characterCoverage,
    int maxPieceLength,
    boolean splitDigits,
    List<String> userDefinedSymbols,
    long sampleCharacters)
    implements Serializable {
  /** Special pieces and bytes. */
  static final int FIXED_PIECES = 3 + 256;

  public TokenizerConfig {
    userDefinedSymbols = List.copyOf(userDefinedSymbols);
    require(
        vocabSize > FIXED_PIECES && vocabSize <= 1_000_000,
        "vocab-size",
        vocabSize,
        "260 to 1000000");
    require(
        characterCoverage >= 0.98 && characterCoverage <= 1,
        "character-coverage",
        characterCoverage,
        "0.98 to 1");
    require(
        maxPieceLength >= 1 && maxPieceLength <= 512,
        "max-piece-length",
        maxPieceLength,
        "1 to 512");
    require(sampleCharacters >= 1000, "sample-characters", sampleCharacters, "at least 1000");
    boolean distinct = new HashSet<>(userDefinedSymbols).size() == userDefinedSymbols.size();
    boolean writable =
        userDefinedSymbols.stream()
            .noneMatch(s -> s.isBlank() || s.indexOf(' ') >= 0 || s.indexOf(0) >= 0);
    require(
        distinct && writable,
        "user-defined-symbols",
        userDefinedSymbols,
        "distinct texts without spaces");
  }

  private static void require(boolean holds, String key, Object got, String wanted) {
    if (!holds) {
      throw new IllegalArgumentException(
          "train-tokenizer." + key + ": got " + got + ", wanted " + wanted);
    }
  }
}
