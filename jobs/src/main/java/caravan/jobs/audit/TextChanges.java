package caravan.jobs.audit;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * What an edit changed in a text, in pieces that people read: words, single Han characters, single
 * marks. Myers' greedy algorithm (An O(ND) Difference Algorithm and Its Variations, 1986); a text
 * with very many changes is compared up to its first {@value #MAX_CHANGES}.
 */
public final class TextChanges {
  private static final int MAX_CHANGES = 600;
  private static final int MAX_TOKENS = 20_000;

  /** What happened to a piece of text. */
  public enum Kind {
    SAME,
    REMOVED,
    ADDED
  }

  /** A piece of the text before, after, or both. */
  public record Piece(Kind kind, String text) {
    /** The same, by its two ends where it is longer than so many code points. */
    public Piece shortened(int most) {
      boolean fits = text.codePointCount(0, text.length()) <= most;
      return fits
          ? this
          : new Piece(
              kind, Excerpt.start(text, most / 2) + Excerpt.end(text, most / 2).substring(1));
    }
  }

  private TextChanges() {}

  /**
   * The first changes, each with what stands around it.
   *
   * @param context code points of unchanged text to show before and after a change
   * @param most changes to show; changes that lie close together count as one
   * @return empty when the texts are equal
   */
  public static List<List<Piece>> first(String before, String after, int context, int most) {
    List<List<Piece>> changes = new ArrayList<>();
    List<Piece> open = new ArrayList<>();
    List<Piece> pieces = pieces(before, after);
    for (int i = 0; i < pieces.size() && changes.size() < most; i++) {
      Piece piece = pieces.get(i);
      if (piece.kind() != Kind.SAME) {
        open.add(piece);
        continue;
      }
      boolean last = i == pieces.size() - 1;
      int length = piece.text().codePointCount(0, piece.text().length());
      if (!open.isEmpty() && !last && length <= 2 * context) {
        open.add(piece);
        continue;
      }
      if (!open.isEmpty()) {
        open.add(new Piece(Kind.SAME, Excerpt.start(piece.text(), context)));
        changes.add(List.copyOf(open));
        open.clear();
      }
      if (!last) {
        open.add(new Piece(Kind.SAME, Excerpt.end(piece.text(), context)));
      }
    }
    if (open.stream().anyMatch(p -> p.kind() != Kind.SAME) && changes.size() < most) {
      changes.add(List.copyOf(open));
    }
    return changes;
  }

  /** The changes on one line: {@code 第[-１-]{+1+}章}. */
  public static String line(List<Piece> change) {
    StringBuilder line = new StringBuilder();
    for (Piece piece : change) {
      String text = Excerpt.visible(piece.text());
      switch (piece.kind()) {
        case SAME -> line.append(text);
        case REMOVED -> line.append("[-").append(text).append("-]");
        default -> line.append("{+").append(text).append("+}");
      }
    }
    return line.toString();
  }

  /** Both texts as one run of pieces; neighbours differ in kind. */
  static List<Piece> pieces(String before, String after) {
    List<String> a = tokens(before);
    List<String> b = tokens(after);
    int start = 0;
    while (start < a.size() && start < b.size() && a.get(start).equals(b.get(start))) {
      start++;
    }
    int end = 0;
    while (end < Math.min(a.size(), b.size()) - start
        && a.get(a.size() - 1 - end).equals(b.get(b.size() - 1 - end))) {
      end++;
    }
    List<Piece> pieces = new ArrayList<>();
    add(pieces, Kind.SAME, String.join("", a.subList(0, start)));
    List<String> left = a.subList(start, a.size() - end);
    List<String> right = b.subList(start, b.size() - end);
    boolean cut = left.size() > MAX_TOKENS || right.size() > MAX_TOKENS;
    boolean whole =
        myers(
            left.subList(0, Math.min(left.size(), MAX_TOKENS)),
            right.subList(0, Math.min(right.size(), MAX_TOKENS)),
            pieces);
    if (whole && !cut) {
      add(pieces, Kind.SAME, String.join("", a.subList(a.size() - end, a.size())));
    }
    return pieces;
  }

  /** Adds the pieces; false when it stopped before the end. */
  private static boolean myers(List<String> a, List<String> b, List<Piece> pieces) {
    int max = Math.min(a.size() + b.size(), MAX_CHANGES);
    List<int[]> trace = new ArrayList<>();
    int[] furthest = new int[2 * max + 3];
    int middle = max + 1;
    for (int d = 0; d <= max; d++) {
      trace.add(furthest.clone());
      for (int k = -d; k <= d; k += 2) {
        boolean down = k == -d || k != d && furthest[middle + k - 1] < furthest[middle + k + 1];
        int x = down ? furthest[middle + k + 1] : furthest[middle + k - 1] + 1;
        while (x < a.size() && x - k < b.size() && x - k >= 0 && a.get(x).equals(b.get(x - k))) {
          x++;
        }
        furthest[middle + k] = x;
        if (x >= a.size() && x - k >= b.size()) {
          backtrack(a, b, trace, middle, k, x, pieces);
          return true;
        }
      }
    }
    // Among the paths that did not run out of one of the texts, the one that got furthest.
    OptionalInt best =
        IntStream.rangeClosed(0, max)
            .map(i -> 2 * i - max)
            .filter(k -> furthest[middle + k] <= a.size() && furthest[middle + k] - k <= b.size())
            .reduce((j, k) -> 2 * furthest[middle + k] - k > 2 * furthest[middle + j] - j ? k : j);
    best.ifPresent(k -> backtrack(a, b, trace, middle, k, furthest[middle + k], pieces));
    return false;
  }

  private static void backtrack(
      List<String> a,
      List<String> b,
      List<int[]> trace,
      int middle,
      int k,
      int x,
      List<Piece> into) {
    List<Piece> reversed = new ArrayList<>();
    int diagonal = k;
    int at = x;
    for (int d = trace.size() - 1; d > 0; d--) {
      int[] furthest = trace.get(d);
      boolean down =
          diagonal == -d
              || diagonal != d && furthest[middle + diagonal - 1] < furthest[middle + diagonal + 1];
      int from = down ? diagonal + 1 : diagonal - 1;
      int fromX = furthest[middle + from];
      int changed = down ? fromX : fromX + 1;
      for (; at > changed; at--) {
        reversed.add(new Piece(Kind.SAME, a.get(at - 1)));
      }
      reversed.add(
          down
              ? new Piece(Kind.ADDED, b.get(fromX - from))
              : new Piece(Kind.REMOVED, a.get(fromX)));
      at = fromX;
      diagonal = from;
    }
    for (; at > 0; at--) {
      reversed.add(new Piece(Kind.SAME, a.get(at - 1)));
    }
    Collections.reverse(reversed);
    reversed.forEach(piece -> add(into, piece.kind(), piece.text()));
  }

  /** Adds a piece, joined with an equal neighbour. */
  private static void add(List<Piece> pieces, Kind kind, String text) {
    if (text.isEmpty()) {
      return;
    }
    int last = pieces.size() - 1;
    if (last >= 0 && pieces.get(last).kind() == kind) {
      pieces.set(last, new Piece(kind, pieces.get(last).text() + text));
    } else {
      pieces.add(new Piece(kind, text));
    }
  }

  /** Runs of letters and digits that are not ideographs, and every other code point by itself. */
  private static List<String> tokens(String text) {
    List<String> tokens = new ArrayList<>();
    int start = 0;
    while (start < text.length()) {
      int end = start + Character.charCount(text.codePointAt(start));
      if (isWord(text.codePointAt(start))) {
        while (end < text.length() && isWord(text.codePointAt(end))) {
          end += Character.charCount(text.codePointAt(end));
        }
      }
      tokens.add(text.substring(start, end));
      start = end;
    }
    return tokens;
  }

  private static boolean isWord(int c) {
    return Character.isLetterOrDigit(c) && !Character.isIdeographic(c);
  }
}
