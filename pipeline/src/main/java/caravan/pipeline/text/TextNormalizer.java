package caravan.pipeline.text;

import java.io.Serializable;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Makes texts that read the same be the same, by edits that can each be left out: broken encodings
 * are repaired where that is certain ({@link Mojibake}); control, zero-width and direction
 * characters go; full-width letters, digits and signs become ASCII while Chinese punctuation stays;
 * Unicode NFKC for the rest, without what it would spoil ({@link Nfkc}); one kind of line break,
 * single spaces except ASCII indentation, no more than one blank line, no space at line ends.
 *
 * <p>One scan says which edits a text needs; a text that needs none is returned as it is.
 * Normalizing twice changes nothing more.
 */
public final class TextNormalizer implements Serializable {

  /** What normalizing does, in this order. */
  public enum Edit {
    /** Text that was decoded by the wrong encoding. */
    MOJIBAKE,
    /** Control, zero-width and direction characters, unpaired surrogates, noncharacters. */
    INVISIBLE,
    /** Full-width letters, digits and signs; Chinese punctuation is none of them. */
    FULL_WIDTH,
    /** Other compatibility forms, and accents apart from their letters. */
    NFKC,
    /** Spaces and line breaks. */
    WHITESPACE;

    /** Edit reason: {@code full_width} … */
    public String reason() {
      return name().toLowerCase(Locale.ROOT);
    }

    int bit() {
      return 1 << ordinal();
    }
  }

  /**
   * @param text the normalized text
   * @param removed code points taken away less those added, per edit that changed something; 0 or
   *     negative where an edit replaces
   */
  public record Normalized(String text, Map<String, Long> removed) {}

  private final Set<Edit> edits;
  private final int wanted;

  /** All edits. */
  public TextNormalizer() {
    this(List.of(Edit.values()));
  }

  public TextNormalizer(List<Edit> edits) {
    this.edits = edits.isEmpty() ? EnumSet.noneOf(Edit.class) : EnumSet.copyOf(edits);
    this.wanted = this.edits.stream().mapToInt(Edit::bit).sum();
  }

  public Normalized normalize(String text) {
    Map<String, Long> removed = Map.of();
    String clean = text;
    // An edit may make room for another: a zero-width space between the halves of a broken letter.
    for (int needed = scan(clean); needed != 0; needed = scan(clean)) {
      removed = removed.isEmpty() ? new TreeMap<>() : removed;
      String before = clean;
      for (Edit edit : edits) {
        if ((needed & edit.bit()) != 0 || edit == Edit.NFKC || edit == Edit.WHITESPACE) {
          String after = apply(edit, clean);
          if (!after.equals(clean)) {
            removed.merge(edit.reason(), characters(clean) - characters(after), Long::sum);
            clean = after;
          }
        }
      }
      if (clean.equals(before)) {
        break;
      }
    }
    return new Normalized(clean, removed);
  }

  private int scan(String text) {
    return CharClasses.needed(text) & wanted;
  }

  private static String apply(Edit edit, String text) {
    return switch (edit) {
      case MOJIBAKE -> Mojibake.repair(text);
      case INVISIBLE -> visible(text);
      case FULL_WIDTH -> halfWidth(text);
      case NFKC -> Nfkc.compose(text);
      case WHITESPACE -> new Whitespace(text).clean();
    };
  }

  private static long characters(String text) {
    return text.codePointCount(0, text.length());
  }

  private static String visible(String text) {
    StringBuilder out = new StringBuilder(text.length());
    int copied = 0;
    int length;
    for (int i = 0; i < text.length(); i += length) {
      int c = text.codePointAt(i);
      length = Character.charCount(c);
      if (CharClasses.isInvisible(c)) {
        out.append(text, copied, i);
        copied = i + length;
      }
    }
    return out.append(text, copied, text.length()).toString();
  }

  private static String halfWidth(String text) {
    StringBuilder out = new StringBuilder(text);
    for (int i = 0; i < out.length(); i++) {
      char c = out.charAt(i);
      if (CharClasses.of(c) == CharClasses.FULL_WIDTH) {
        out.setCharAt(i, (char) (c - 0xFEE0));
      }
    }
    return out.toString();
  }
}
