package caravan.pipeline.wikitext;

import caravan.pipeline.wikitext.Span.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Finds what belongs together in wikitext: braces, links, tables, elements. An opening mark without
 * its closing one gives no span. One pass with a stack of its own; every position is looked at a
 * bounded number of times.
 */
final class Spans {
  /** What is open: a span's kind, or an element that only serves to pair tags. */
  private static final class Open {
    final Kind kind;
    final String name;
    final boolean kept;
    final int start;
    final int contentStart;

    /** Opening braces not yet matched. */
    int braces;

    Open(Kind kind, String name, boolean kept, int start, int contentStart) {
      this.kind = kind;
      this.name = name;
      this.kept = kept;
      this.start = start;
      this.contentStart = contentStart;
    }
  }

  /** How many open elements and links a closing mark reaches over, so that time stays linear. */
  private static final int REACH = 50;

  private final String text;
  private final boolean variants;
  private final List<Span> spans = new ArrayList<>();
  private final List<Open> stack = new ArrayList<>();

  /** Indexes in {@link #stack} of open braces and variants. */
  private final ArrayDeque<Integer> braces = new ArrayDeque<>();

  private int openLinks;

  /** Per element name, where its next closing tag is at or after the last position asked for. */
  private final Map<String, Integer> nextClose = new HashMap<>();

  private int i;

  private Spans(String text, boolean variants) {
    this.text = text;
    this.variants = variants;
  }

  /** The spans in the order of their starts; any two are apart or one is inside the other. */
  static List<Span> find(String text, boolean variants) {
    Spans spans = new Spans(text, variants);
    spans.scan();
    spans.spans.sort(Comparator.comparingInt(Span::start));
    return spans.spans;
  }

  private void scan() {
    while (i < text.length()) {
      switch (text.charAt(i)) {
        case '<' -> tag();
        case '{' -> openBraces();
        case '}' -> closeBraces();
        case '[' -> openLink();
        case ']' -> closeLink();
        case '-' -> openVariant();
        case '|' -> closeTable();
        case '\n' -> {
          while (topIs(Kind.EXTERNAL_LINK)) {
            pop();
          }
          i++;
        }
        default -> i++;
      }
    }
  }

  private void tag() {
    if (text.startsWith("<!--", i)) {
      int close = text.indexOf("-->", i + 4);
      int end = close < 0 ? text.length() : close + 3;
      spans.add(new Span(Kind.COMMENT, "", i, i, i, end));
      i = end;
      return;
    }
    Tag tag = Tag.at(text, i);
    if (tag == null) {
      i++;
    } else if (tag.closing()) {
      closeElement(tag);
      i = tag.end();
    } else if (tag.selfClosing()) {
      if (Tags.DROPPED.contains(tag.name())) {
        spans.add(new Span(Kind.DROPPED, tag.name(), i, i, i, tag.end()));
      }
      i = tag.end();
    } else {
      openElement(tag);
    }
  }

  private void openElement(Tag tag) {
    Kind opaque = opaque(tag.name());
    int close = opaque == null ? -1 : closingTag(tag.name(), tag.end());
    if (close >= 0) {
      int end = text.indexOf('>', close);
      end = end < 0 ? text.length() : end + 1;
      spans.add(new Span(opaque, tag.name(), i, tag.end(), close, end));
      i = end;
      return;
    }
    if (tag.name().equals("table")) {
      push(new Open(Kind.TABLE, "table", true, i, tag.end()));
    } else if (tag.name().equals("span") || tag.name().equals("div")) {
      push(new Open(Kind.DROPPED, tag.name(), tag.hidesContent(), i, tag.end()));
    }
    i = tag.end();
  }

  private static Kind opaque(String name) {
    if (Tags.DROPPED.contains(name)) {
      return Kind.DROPPED;
    }
    if (Tags.LITERAL.contains(name)) {
      return Kind.LITERAL;
    }
    return Tags.MATH.contains(name) ? Kind.MATH : null;
  }

  /** Position of the next closing tag, -1 without one. Asked for growing positions only. */
  private int closingTag(String name, int from) {
    Integer known = nextClose.get(name);
    if (known == null || (known >= 0 && known < from)) {
      int at = from;
      do {
        at = text.indexOf("</", at);
        int end = at + 2 + name.length();
        if (at >= 0
            && text.regionMatches(true, at + 2, name, 0, name.length())
            && (end == text.length() || !Character.isLetterOrDigit(text.charAt(end)))) {
          break;
        }
        at += at < 0 ? 0 : 2;
      } while (at >= 0);
      known = at;
      nextClose.put(name, known);
    }
    return known;
  }

  private void closeElement(Tag tag) {
    int lowest = Math.max(0, stack.size() - REACH);
    for (int at = stack.size() - 1; at >= lowest; at--) {
      Open element = stack.get(at);
      if (element.name.equals(tag.name())) {
        popTo(at);
        if (element.kept) {
          spans.add(
              new Span(
                  element.kind, element.name, element.start, element.contentStart, i, tag.end()));
        }
        return;
      }
      if (element.name.isEmpty()) {
        return;
      }
    }
  }

  private void openBraces() {
    int count = run('{');
    boolean lineStart = atLineStart(i);
    if (lineStart && count == 1 && charAt(i + 1) == '|') {
      push(new Open(Kind.TABLE, "", true, i, i + 2));
      i += 2;
      return;
    }
    if (count >= 2) {
      Open braces = new Open(Kind.TEMPLATE, "", true, i, i + count);
      braces.braces = count;
      push(braces);
    }
    i += count;
  }

  private void closeBraces() {
    int count = run('}');
    int from = i;
    i += count;
    while (count > 0) {
      if (braces.isEmpty()) {
        return;
      }
      int top = braces.peek();
      Open opened = stack.get(top);
      boolean variantEnds = count == 1 && charAt(i) == '-';
      if (opened.kind == Kind.VARIANT) {
        if (variantEnds) {
          popTo(top);
          spans.add(new Span(Kind.VARIANT, "", opened.start, opened.contentStart, from, from + 2));
          i++;
          return;
        }
        if (count == 1 || braces.size() == 1) {
          return;
        }
        popTo(top);
      } else {
        if (count == 1) {
          return;
        }
        popTo(top + 1);
        int matched = Math.min(3, Math.min(count, opened.braces));
        matchBraces(opened, matched, from);
        count -= matched;
        from += matched;
      }
    }
  }

  private void matchBraces(Open opened, int matched, int from) {
    int contentStart = opened.start + opened.braces;
    opened.braces -= matched;
    Kind kind = matched == 3 ? Kind.PARAMETER : Kind.TEMPLATE;
    int start = contentStart - matched;
    spans.add(new Span(kind, "", start, contentStart, from, from + matched));
    if (opened.braces < 2) {
      pop();
    }
  }

  private void openVariant() {
    boolean opens = variants && charAt(i + 1) == '{';
    if (opens) {
      i++;
      int braces = run('{');
      i--;
      // Two braces after the hyphen are a template's, three a template's inside a variant.
      opens = braces % 2 == 1;
    }
    if (opens) {
      push(new Open(Kind.VARIANT, "", true, i, i + 2));
      i += 2;
    } else {
      i++;
    }
  }

  private void openLink() {
    if (charAt(i + 1) == '[') {
      push(new Open(Kind.LINK, "", true, i, i + 2));
      i += 2;
    } else {
      if (ExternalLinks.isUrl(text, i + 1)) {
        push(new Open(Kind.EXTERNAL_LINK, "", true, i, i + 1));
      }
      i++;
    }
  }

  private void closeLink() {
    if (topIs(Kind.EXTERNAL_LINK)) {
      close(1);
    } else if (charAt(i + 1) == ']' && openLinks > 0) {
      closeOver(Kind.LINK, Set.of(Kind.DROPPED));
    } else {
      i++;
    }
  }

  private void closeTable() {
    if (charAt(i + 1) != '}' || charAt(i + 2) == '}' || !atLineStart(i)) {
      i++;
      return;
    }
    closeOver(Kind.TABLE, Set.of(Kind.DROPPED, Kind.LINK));
  }

  /** Closes the innermost of a kind by two characters, if only kinds that may stay open follow. */
  private void closeOver(Kind kind, Set<Kind> unclosed) {
    int at = stack.size() - 1;
    int lowest = Math.max(0, stack.size() - REACH);
    while (at >= lowest && unclosed.contains(stack.get(at).kind)) {
      at--;
    }
    if (at >= lowest && stack.get(at).kind == kind) {
      popTo(at + 1);
      close(2);
    } else {
      i += 2;
    }
  }

  /** Closes the innermost with a mark of this length. */
  private void close(int length) {
    Open opened = pop();
    spans.add(new Span(opened.kind, opened.name, opened.start, opened.contentStart, i, i + length));
    i += length;
  }

  private void push(Open opened) {
    if (opened.kind == Kind.TEMPLATE || opened.kind == Kind.VARIANT) {
      braces.push(stack.size());
    }
    openLinks += opened.kind == Kind.LINK ? 1 : 0;
    stack.add(opened);
  }

  private Open pop() {
    Open opened = stack.remove(stack.size() - 1);
    if (opened.kind == Kind.TEMPLATE || opened.kind == Kind.VARIANT) {
      braces.pop();
    }
    openLinks -= opened.kind == Kind.LINK ? 1 : 0;
    return opened;
  }

  private void popTo(int size) {
    while (stack.size() > size) {
      pop();
    }
  }

  private boolean topIs(Kind kind) {
    return !stack.isEmpty() && stack.get(stack.size() - 1).kind == kind;
  }

  private int run(char c) {
    int end = i;
    while (end < text.length() && text.charAt(end) == c) {
      end++;
    }
    return end - i;
  }

  /** Whether only blanks and indents precede on the line; a few are looked at. */
  private boolean atLineStart(int position) {
    for (int at = position - 1; at >= 0 && at > position - 40; at--) {
      char c = text.charAt(at);
      if (c == '\n') {
        return true;
      }
      if (c != ' ' && c != ':' && c != '\t' && c != '*' && c != '#') {
        return false;
      }
    }
    return position < 40;
  }

  private char charAt(int position) {
    return position < text.length() ? text.charAt(position) : '\0';
  }
}
