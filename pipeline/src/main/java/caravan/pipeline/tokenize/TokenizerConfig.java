package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * How a vocabulary is learned.
 *
 * @param kind what the pieces are
 * @param vocabSize ids in all: 3 special, 256 bytes, the symbols, single characters, and learned
 *     pieces; from 260 to 1,000,000. Characters alone ({@link Kind#CHAR}) are no more than the text
 *     has, and this the limit
 * @param characterCoverage share of the text's characters that get a piece of their own, in [0.98,
 *     1]; the rarest fall back to bytes
 * @param maxPieceLength code points in a piece at most, from 1 to 512
 * @param splitDigits whether each digit is a piece of its own, never part of a longer one
 * @param controlSymbols pieces that no text becomes, with ids after the bytes
 * @param userDefinedSymbols texts that are always one piece, with ids after the control symbols
 * @param maxSegmentCharacters characters of distinct segments that the driver holds at most; of
 *     more, rare segments are sampled; from 1,000
 */
public record TokenizerConfig(
    Kind kind,
    int vocabSize,
    double characterCoverage,
    int maxPieceLength,
    boolean splitDigits,
    List<String> controlSymbols,
    List<String> userDefinedSymbols,
    long maxSegmentCharacters)
    implements Serializable {
  private static final String SECTION = "train-tokenizer";

  /** Special pieces and bytes. */
  static final int FIXED_PIECES = 3 + 256;

  /** What the pieces of a vocabulary are. */
  public enum Kind {
    /** Byte pair encoding. */
    BPE,
    /** Single characters alone. */
    CHAR
  }

  public TokenizerConfig {
    controlSymbols = List.copyOf(controlSymbols);
    userDefinedSymbols = List.copyOf(userDefinedSymbols);
    require(
        vocabSize > FIXED_PIECES && vocabSize <= LearningLimits.MAX_VOCABULARY,
        "vocab-size",
        vocabSize,
        "260 to 1000000");
    LearningLimits.check(SECTION, characterCoverage, maxPieceLength, maxSegmentCharacters);
    requireSymbols("control-symbols", controlSymbols);
    requireSymbols("user-defined-symbols", userDefinedSymbols);
    for (String symbol : controlSymbols) {
      require(
          !userDefinedSymbols.contains(symbol),
          "control-symbols",
          controlSymbols,
          "none of user-defined-symbols, which hold '" + symbol + "' too");
    }
  }

  /** The default of everything but size, for callers without a configuration file. */
  static TokenizerConfig ofSize(int vocabSize) {
    return new TokenizerConfig(
        Kind.BPE, vocabSize, 0.9995, 16, true, List.of(), List.of(), 50_000_000);
  }

  /** Texts that are pieces of another kind than learned ones. */
  Set<String> symbols() {
    Set<String> all = new LinkedHashSet<>(controlSymbols);
    all.addAll(userDefinedSymbols);
    return all;
  }

  private static void requireSymbols(String key, List<String> symbols) {
    boolean distinct = new HashSet<>(symbols).size() == symbols.size();
    boolean writable =
        symbols.stream()
            .noneMatch(s -> s.isBlank() || s.indexOf(' ') >= 0 || s.chars().anyMatch(c -> c < 32));
    require(
        distinct && writable, key, symbols, "distinct texts without spaces and control characters");
    for (String symbol : symbols) {
      require(
          !VocabularyLayout.isFixed(symbol),
          key,
          symbols,
          "no '" + symbol + "', which every vocabulary has");
    }
  }

  private static void require(boolean holds, String key, Object got, String wanted) {
    LearningLimits.require(holds, SECTION + "." + key, got, wanted);
  }
}
