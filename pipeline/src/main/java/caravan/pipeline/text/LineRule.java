package caravan.pipeline.text;

import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A rule that removes lines. What is left keeps its paragraphs: lines on both sides of removed ones
 * are a paragraph apart if a blank line stood anywhere between them.
 */
public sealed interface LineRule extends TextEdit
    permits PageLines, C4Lines, LanguageLines, BoilerplateLines.OfSite {

  /** Edit reason for which a line goes, such as {@code line_navigation}; empty when it stays. */
  Optional<String> removal(Lines lines, int line);

  @Override
  default Edited edit(Passage passage) {
    return new Removal(this, passage.lines()).edited();
  }

  /** One pass over the lines of one text. */
  final class Removal {
    private final LineRule rule;
    private final Lines lines;
    private final StringBuilder out = new StringBuilder();
    private final Map<String, Long> removed = new TreeMap<>();

    /** Everything before this char index is in {@code out} or accounted for. */
    private int done;

    private Removal(LineRule rule, Lines lines) {
      this.rule = rule;
      this.lines = lines;
    }

    private Edited edited() {
      for (int i = 0; i < lines.count(); i++) {
        Optional<String> reason = rule.removal(lines, i);
        if (reason.isPresent()) {
          i = removeFrom(i, reason.get());
        }
      }
      String text = lines.text();
      return removed.isEmpty()
          ? new Edited(text, Map.of())
          : new Edited(out.append(text, done, text.length()).toString(), removed);
    }

    /** Removes a line and those after it that go too; returns the last of them. */
    private int removeFrom(int first, String firstReason) {
      Optional<String> reason = Optional.of(firstReason);
      String lastReason = firstReason;
      int lineCharacters = 0;
      int breaks = first == 0 ? 0 : lines.breaksAfter(first - 1);
      int line = first;
      while (reason.isPresent()) {
        lastReason = reason.get();
        removed.merge(lastReason, (long) lines.characters(line), Long::sum);
        lineCharacters += lines.characters(line);
        breaks = Math.max(breaks, lines.breaksAfter(line));
        line++;
        reason = line < lines.count() ? rule.removal(lines, line) : Optional.empty();
      }
      String between = between(first, line, breaks);
      int start = first == 0 ? 0 : lines.end(first - 1);
      int end = line == lines.count() ? lines.text().length() : lines.start(line);
      out.append(lines.text(), done, start).append(between);
      done = end;
      int gaps = lines.text().codePointCount(start, end) - lineCharacters - between.length();
      removed.merge(lastReason, (long) gaps, Long::sum);
      return line;
    }

    /** What stands between the kept lines before and after removed ones: breaks, indentation. */
    private String between(int first, int next, int breaks) {
      if (next == lines.count()) {
        return "";
      }
      int indentation = lines.start(next);
      while (indentation > 0 && lines.text().charAt(indentation - 1) != '\n') {
        indentation--;
      }
      String indented = lines.text().substring(indentation, lines.start(next));
      return first == 0 ? indented : "\n".repeat(breaks) + indented;
    }
  }
}
