package caravan.pipeline.text;

import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Removes the lines that many documents of a site share: menus, footers, notices. Which these are
 * is learned from the corpus before cleaning; {@code BoilerplateLearner} counts. Lines are compared
 * by their letters alone, in lower case, with every number as 0, much as CCNet compares paragraphs
 * (Wenzek et al. 2019, arXiv 1911.00359, section 3.1): {@code 第 3 页} and {@code 第14页} are the same
 * line.
 *
 * @param lines {@link #key}s of the lines to remove
 * @param minCharacters code points below which a line stays
 */
public record BoilerplateLines(Shared<LongSet> lines, int minCharacters) implements TextEdit {
  /** Edit reason. */
  public static final String REASON = "boilerplate_line";

  private static final long PRIME = 0x100000001B3L;

  @Override
  public Edited edit(Passage passage) {
    return new OfSite(lines.get(), Words.hashOf(passage.site()), minCharacters).edit(passage);
  }

  /** Different lines of a passage that could be boilerplate, each with its site in one hash. */
  public static LongStream keys(Passage passage, int minCharacters) {
    Lines lines = passage.lines();
    long site = Words.hashOf(passage.site());
    return IntStream.range(0, lines.count())
        .filter(i -> lines.characters(i) >= minCharacters)
        .mapToLong(i -> key(site, lines, i))
        .filter(key -> key != 0)
        .distinct();
  }

  /** 0 for a line without letters. */
  private static long key(long site, Lines lines, int line) {
    String text = lines.text();
    long h = site;
    boolean letters = false;
    boolean number = false;
    for (int i = lines.start(line); i < lines.end(line); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      boolean digit = Character.isDigit(c);
      if (digit && !number) {
        h = (h ^ '0') * PRIME;
      } else if (Character.isLetter(c)) {
        h = (h ^ Character.toLowerCase(c)) * PRIME;
        letters = true;
      }
      number = digit;
    }
    return letters ? Words.mix(h) : 0;
  }

  /** The rule for the documents of one site. */
  record OfSite(LongSet boilerplate, long site, int minCharacters) implements LineRule {
    @Override
    public Optional<String> removal(Lines lines, int line) {
      return lines.characters(line) >= minCharacters && boilerplate.contains(key(site, lines, line))
          ? Optional.of(REASON)
          : Optional.empty();
    }
  }
}
