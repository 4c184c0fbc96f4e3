package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.lang.Character.UnicodeScript;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * How a vocabulary is extended.
 *
 * @param vocabSize ids in all, the base's among them; at most 1,000,000
 * @param characterCoverage share of the text's characters that get a piece of their own where the
 *     base has none, in [0.98, 1]
 * @param maxPieceLength code points in a new piece at most, from 1 to 512
 * @param scripts writing systems by Unicode's names; a new piece holds a character of one of them.
 *     Empty: any
 * @param maxSegmentCharacters code points of distinct segments that the driver learns from at most;
 *     of more, rare segments are sampled; from 1,000
 * @param measureCharacters of each input, measure what the new pieces change on about so many code
 *     points; from 1,000
 */
public record ExtensionConfig(
    int vocabSize,
    double characterCoverage,
    int maxPieceLength,
    List<String> scripts,
    long maxSegmentCharacters,
    long measureCharacters)
    implements Serializable {
  private static final String SECTION = "extend-tokenizer";

  public ExtensionConfig {
    scripts = List.copyOf(scripts);
    require(
        vocabSize >= 1 && vocabSize <= LearningLimits.MAX_VOCABULARY,
        "vocab-size",
        vocabSize,
        "up to 1000000");
    LearningLimits.check(SECTION, characterCoverage, maxPieceLength, maxSegmentCharacters);
    require(measureCharacters >= 1000, "measure-characters", measureCharacters, "at least 1000");
    scripts.forEach(ExtensionConfig::script);
  }

  /** The writing systems of {@link #scripts}. */
  Set<UnicodeScript> unicodeScripts() {
    EnumSet<UnicodeScript> set = EnumSet.noneOf(UnicodeScript.class);
    scripts.forEach(name -> set.add(script(name)));
    return set;
  }

  private static UnicodeScript script(String name) {
    try {
      return UnicodeScript.forName(name.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "extend-tokenizer.scripts: got "
              + name
              + ", wanted names of Unicode's scripts, such as han, hiragana or cyrillic",
          e);
    }
  }

  private static void require(boolean holds, String key, Object got, String wanted) {
    LearningLimits.require(holds, SECTION + "." + key, got, wanted);
  }
}
