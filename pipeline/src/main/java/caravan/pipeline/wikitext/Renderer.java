package caravan.pipeline.wikitext;

import caravan.pipeline.wikitext.Span.Kind;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * Writes the text of a page in one pass over its wikitext and spans. What is open lies on a stack;
 * what a span turns out not to show is cut off the end of the output.
 */
final class Renderer {
  /** Templates and variants inside each other that are followed; MediaWiki stops at 40 and 10. */
  private static final int DEEPEST = 20;

  private final String text;
  private final List<Span> spans;
  private final WikitextConfig config;
  private final Templates templates;
  private final Page page = new Page();
  private final Deque<Frame> frames = new ArrayDeque<>();

  /** Templates and variants among the frames, whose text is copied when they end. */
  private int copied;

  private int nextSpan;
  private int i;

  Renderer(String text, List<Span> spans, WikitextConfig config) {
    this.text = text;
    this.spans = spans;
    this.config = config;
    this.templates = new Templates(config.templates());
  }

  String render() {
    while (i < text.length() || !frames.isEmpty()) {
      if (!frames.isEmpty() && i >= frames.peek().span.contentEnd()) {
        leave(frames.pop());
        continue;
      }
      while (nextSpan < spans.size() && spans.get(nextSpan).start() < i) {
        nextSpan++;
      }
      if (nextSpan < spans.size() && spans.get(nextSpan).start() == i) {
        enter(spans.get(nextSpan++));
      } else {
        character();
      }
    }
    return page.text(config.dropSections());
  }

  private void enter(Span span) {
    switch (span.kind()) {
      case COMMENT -> comment(span);
      case TEMPLATE -> template(span);
      case LINK -> link(span);
      case EXTERNAL_LINK -> externalLink(span);
      case VARIANT -> variant(span);
      case LITERAL -> literal(span);
      case MATH -> math(span);
      case PARAMETER, TABLE, DROPPED -> skip(span);
    }
  }

  private void skip(Span span) {
    page.hole();
    i = span.end();
  }

  /** A comment with a line of its own takes the line's break along. */
  private void comment(Span span) {
    i = span.end();
    boolean wholeLine = span.start() == 0 || text.charAt(span.start() - 1) == '\n';
    if (wholeLine && i < text.length() && text.charAt(i) == '\n') {
      i++;
    }
  }

  private void template(Span span) {
    String name = Templates.name(text, span.contentStart(), span.contentEnd());
    String pattern = templates.pattern(name);
    if (pattern == null || copied >= DEEPEST) {
      skip(span);
      return;
    }
    Frame frame = push(span);
    frame.pattern = pattern;
    // The name is not among the arguments.
    frame.named = true;
    copied++;
  }

  private void link(Span span) {
    if (LinkTarget.isUnseen(text, span.contentStart(), span.contentEnd())) {
      skip(span);
      return;
    }
    Frame frame = push(span);
    if (i < span.contentEnd() && text.charAt(i) == ':') {
      i++;
    }
    frame.label = false;
  }

  private void externalLink(Span span) {
    int label = ExternalLinks.label(text, span.contentStart(), span.contentEnd());
    if (label == span.contentEnd()) {
      skip(span);
      return;
    }
    push(span);
    i = label;
  }

  private void variant(Span span) {
    if (copied >= DEEPEST) {
      skip(span);
      return;
    }
    push(span);
    copied++;
  }

  private void literal(Span span) {
    boolean block = !span.name().equals("nowiki");
    if (block) {
      startLine();
    }
    String content = text.substring(span.contentStart(), span.contentEnd());
    page.literal(span.name().equals("pre") ? Entities.decode(content) : content.strip());
    i = span.end();
    if (block && i < text.length() && text.charAt(i) != '\n') {
      newLine();
    }
  }

  private void math(Span span) {
    String tex = text.substring(span.contentStart(), span.contentEnd()).strip();
    page.literal("$" + tex.replaceAll("\\s+", " ") + "$");
    i = span.end();
  }

  private Frame push(Span span) {
    Frame frame = new Frame(span, page.length());
    frames.push(frame);
    i = span.contentStart();
    return frame;
  }

  private void leave(Frame frame) {
    i = frame.span.end();
    if (frame.pattern != null) {
      endArgument(frame);
      page.hole();
      page.append(Templates.fill(frame.pattern, frame.arguments));
      copied--;
    } else if (frame.span.kind() == Kind.VARIANT) {
      page.append(Variants.resolve(page.cut(frame.start), config.variant()));
      copied--;
    }
  }

  private void endArgument(Frame frame) {
    String argument = page.cut(frame.start);
    if (!frame.named) {
      frame.arguments.add(argument);
    }
    frame.named = false;
  }

  private void character() {
    char c = text.charAt(i);
    if (page.atLineStart() && lineStart()) {
      return;
    }
    switch (c) {
      case '\n' -> {
        newLine();
        i++;
      }
      case '|' -> bar();
      case '=' -> equalsSign();
      case '\'' -> quotes();
      case '<' -> tag();
      case '&' -> entity();
      case '_' -> behaviourSwitch();
      case '{', '}', '[', ']' -> unpairedMark(c);
      default -> {
        page.append(c);
        i++;
      }
    }
  }

  private void newLine() {
    if (frames.isEmpty()) {
      page.newLine();
    } else {
      page.lineBreak();
    }
  }

  private void startLine() {
    if (!page.atLineStart()) {
      newLine();
    }
  }

  /** Marks of headings, lists and table rows. */
  private boolean lineStart() {
    Optional<LineMark> mark = LineMark.at(text, i, frames.isEmpty());
    if (mark.isEmpty()) {
      return false;
    }
    if (mark.get().headingLevel() > 0) {
      page.heading(mark.get().headingLevel());
    }
    i = mark.get().contentStart();
    return true;
  }

  private void bar() {
    i++;
    Frame frame = frames.peek();
    if (frame != null && frame.pattern != null) {
      endArgument(frame);
    } else if (frame != null && frame.span.kind() == Kind.LINK && !frame.label) {
      // An empty label shows the target.
      if (i < frame.span.contentEnd()) {
        page.cut(frame.start);
      }
      frame.label = true;
    } else {
      page.append('|');
    }
  }

  private void equalsSign() {
    Frame frame = frames.peek();
    i++;
    if (frame == null || frame.pattern == null || frame.named) {
      page.append('=');
      return;
    }
    String name = page.peek(frame.start).strip();
    if (name.matches("[1-9]") && Integer.parseInt(name) == frame.arguments.size() + 1) {
      page.cut(frame.start);
    } else {
      frame.named = true;
      page.append('=');
    }
  }

  /** Two, three or five apostrophes are italic or bold; a fourth one is an apostrophe. */
  private void quotes() {
    int end = i;
    while (end < text.length() && text.charAt(end) == '\'') {
      end++;
    }
    int count = end - i;
    int literal = count == 1 ? 1 : count == 4 ? 1 : Math.max(0, count - 5);
    page.append("'".repeat(literal));
    i = end;
  }

  private void tag() {
    Tag tag = Tag.at(text, i);
    if (tag == null) {
      page.append('<');
      i++;
      return;
    }
    if (Tags.BLOCKS.contains(tag.name())) {
      startLine();
    }
    i = tag.end();
  }

  private void entity() {
    int end = Entities.end(text, i);
    if (end == i + 1) {
      page.append('&');
    } else {
      page.append(Entities.decode(text.substring(i, end)));
    }
    i = end;
  }

  /** {@code __NOTOC__} and its like. */
  private void behaviourSwitch() {
    int end = BehaviourSwitch.end(text, i);
    if (end < 0) {
      page.append('_');
      i++;
    } else {
      i = end;
    }
  }

  /** A pair of braces or brackets that has no partner is left out. */
  private void unpairedMark(char c) {
    boolean spanFollows = nextSpan < spans.size() && spans.get(nextSpan).start() == i + 1;
    if (i + 1 < text.length() && text.charAt(i + 1) == c && !spanFollows) {
      page.hole();
      i += 2;
    } else {
      page.append(c);
      i++;
    }
  }
}
