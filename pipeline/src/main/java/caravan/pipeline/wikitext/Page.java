package caravan.pipeline.wikitext;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** The text written so far, line by line, with its headings. */
final class Page {
  /**
   * @param start of its line
   * @param end of its line
   */
  private record Heading(int level, int start, int end) {}

  private static final String OPENING = "(（";
  private static final String CLOSING = ")）";
  private static final String SEPARATORS = " \u00A0\u3000,，、;；:：/／";

  /** Never stand after a blank. */
  private static final String STOPS = ",，。、；：";

  private final StringBuilder out = new StringBuilder();
  private final List<Heading> headings = new ArrayList<>();

  /** Whether the current line is a heading, of which level. */
  private int level;

  /** Whether something was left out of the current line. */
  private boolean holes;

  /** End of what must not be changed. */
  private int fixed;

  int length() {
    return out.length();
  }

  boolean atLineStart() {
    return out.length() == 0 || out.charAt(out.length() - 1) == '\n';
  }

  /** Begins a heading, at a line's start. */
  void heading(int headingLevel) {
    level = headingLevel;
  }

  /** Something of the current line was left out. */
  void hole() {
    holes = true;
  }

  void append(char c) {
    if (c == '\n') {
      lineBreak();
    } else if (c == ' ' || c == '\t' || c == '\u00A0') {
      int end = out.length();
      if (end > 0 && out.charAt(end - 1) != ' ' && out.charAt(end - 1) != '\n') {
        out.append(' ');
      }
    } else {
      out.append(c);
    }
  }

  void append(String text) {
    for (int i = 0; i < text.length(); i++) {
      append(text.charAt(i));
    }
  }

  /** Text that stays as it is, blanks included. */
  void literal(String text) {
    out.append(text);
    fixed = out.length();
  }

  /** Cuts off and returns what was written since then. */
  String cut(int start) {
    String text = peek(start);
    out.setLength(Math.min(start, out.length()));
    fixed = Math.min(fixed, out.length());
    return text;
  }

  String peek(int start) {
    return out.substring(Math.min(start, out.length()));
  }

  /** Ends the line, if there is one. */
  void newLine() {
    int start = Math.max(fixed, out.lastIndexOf("\n") + 1);
    if (level > 0) {
      trimHeading(start);
    } else if (holes) {
      tidy(start);
    }
    trimEnd(start);
    if (level > 0 && out.length() > start) {
      headings.add(new Heading(level, start, out.length()));
    }
    level = 0;
    holes = false;
    lineBreak();
  }

  /** Begins a line, where the output may still be cut. */
  void lineBreak() {
    int end = out.length();
    boolean blankBefore = end >= 2 && out.charAt(end - 1) == '\n' && out.charAt(end - 2) == '\n';
    if (end > 0 && !blankBefore) {
      out.append('\n');
    }
  }

  private void trimEnd(int start) {
    int end = out.length();
    while (end > start && out.charAt(end - 1) == ' ') {
      end--;
    }
    out.setLength(end);
  }

  private void trimHeading(int start) {
    int end = out.length();
    while (end > start && (out.charAt(end - 1) == '=' || out.charAt(end - 1) == ' ')) {
      end--;
    }
    out.setLength(end);
  }

  /**
   * Where templates and references were left out, empty brackets and separators that lost their
   * neighbour go: {@code 上海（，简称：沪）} becomes {@code 上海（简称：沪）}.
   */
  private void tidy(int start) {
    int write = start;
    for (int read = start; read < out.length(); read++) {
      char c = out.charAt(read);
      boolean afterOpening = write > start && OPENING.indexOf(out.charAt(write - 1)) >= 0;
      if (afterOpening && SEPARATORS.indexOf(c) >= 0) {
        continue;
      }
      if (CLOSING.indexOf(c) >= 0) {
        int end = write;
        while (end > start && SEPARATORS.indexOf(out.charAt(end - 1)) >= 0) {
          end--;
        }
        if (end > start && OPENING.indexOf(out.charAt(end - 1)) >= 0) {
          write = end - 1;
          continue;
        }
        write = end;
      } else if (write > start && out.charAt(write - 1) == ' ') {
        if (c == ' ') {
          continue;
        }
        write -= STOPS.indexOf(c) >= 0 ? 1 : 0;
      }
      out.setCharAt(write++, c);
    }
    out.setLength(write);
  }

  /** The page without sections of these headings and without headings that nothing follows. */
  String text(List<String> dropSections) {
    newLine();
    Set<String> dropped = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    dropped.addAll(dropSections);
    boolean[] empty = emptySections();
    StringBuilder kept = new StringBuilder();
    int from = 0;
    for (int h = 0; h < headings.size(); h++) {
      Heading heading = headings.get(h);
      if (heading.start() < from) {
        continue;
      }
      boolean named = dropped.contains(out.substring(heading.start(), heading.end()).strip());
      if (named || empty[h]) {
        kept.append(out, from, heading.start());
        from = sectionEnd(h);
      }
    }
    return kept.append(out, from, out.length()).toString().strip();
  }

  /** Which sections hold nothing but headings. A section is looked at once per level above it. */
  private boolean[] emptySections() {
    boolean[] empty = new boolean[headings.size()];
    for (int h = headings.size() - 1; h >= 0; h--) {
      int next = h + 1;
      int bodyEnd = next < headings.size() ? headings.get(next).start() : out.length();
      empty[h] = isBlank(headings.get(h).end(), bodyEnd);
      for (; next < headings.size() && below(next, h) && empty[h]; next++) {
        empty[h] = empty[next];
      }
    }
    return empty;
  }

  private boolean below(int heading, int other) {
    return headings.get(heading).level() > headings.get(other).level();
  }

  /** Where the next heading of the same or a higher level stands. */
  private int sectionEnd(int heading) {
    int next = heading + 1;
    while (next < headings.size() && below(next, heading)) {
      next++;
    }
    return next < headings.size() ? headings.get(next).start() : out.length();
  }

  private boolean isBlank(int start, int end) {
    for (int i = start; i < end; i++) {
      if (!Character.isWhitespace(out.charAt(i))) {
        return false;
      }
    }
    return true;
  }
}
