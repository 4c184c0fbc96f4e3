package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * Unigram models: the pieces of the highest score in sum, found from left to right (Viterbi), with
 * sentencepiece's arithmetic (unigram_model.cc, {@code EncodeOptimized}): sums in 32 bits from the
 * text's start on, the first of equal ones. What lies before a place that no piece crosses is
 * decided, so that memory does not grow with the text.
 */
final class UnigramScanner implements TextEncoder {
  private static final float UNKNOWN_PENALTY = 10;
  private static final int UNKNOWN = -1;
  private static final int DECIDE_AFTER = 1 << 12;

  private final PieceSymbols vocabulary;
  private final CodePointTrie pieces = new CodePointTrie();
  private final double[] scores;
  private final float unknownScore;
  private final char space;

  private char[] text = new char[0];
  private int length;

  // Of each position from the base on: the best piece that ends there.
  private int[] ids = new int[1024];
  private int[] starts = new int[1024];
  private float[] sums = new float[1024];
  private int base;
  private int reached;

  UnigramScanner(SentencePieceModel model, PieceSymbols vocabulary, char space) {
    this.vocabulary = vocabulary;
    this.space = space;
    this.scores = new double[model.pieces().size()];
    float least = Float.MAX_VALUE;
    float most = Float.MIN_NORMAL;
    for (Piece piece : model.pieces()) {
      if (piece.type() != PieceType.NORMAL) continue;
      least = Math.min(least, piece.score());
      most = Math.max(most, piece.score());
    }
    unknownScore = least - UNKNOWN_PENALTY;
    List<Piece> all = model.pieces();
    for (int id = 0; id < all.size(); id++) {
      Piece piece = all.get(id);
      if (!piece.isText() || piece.type() == PieceType.UNUSED) continue;
      pieces.put(piece.text(), id);
      int bytes = piece.text().getBytes(StandardCharsets.UTF_8).length;
      scores[id] = piece.type() == PieceType.USER_DEFINED ? bytes * most - 0.1 : piece.score();
    }
  }

  @Override
  public void encode(String from, boolean prefix, boolean suffix, TokenBuffer to) {
    take(from, prefix, suffix);
    base = 0;
    reached = 0;
    sums[0] = 0;
    Arrays.fill(starts, -1);
    for (int at = 0; at < length; ) {
      if (at == reached && at - base >= DECIDE_AFTER) decide(at, to);
      at = step(at);
    }
    decide(length, to);
  }

  private void take(String from, boolean prefix, boolean suffix) {
    length = from.length() + (prefix ? 1 : 0) + (suffix ? 1 : 0);
    if (text.length < length) text = new char[length];
    int at = prefix ? 1 : 0;
    from.getChars(0, from.length(), text, at);
    if (prefix) text[0] = space;
    if (suffix) text[length - 1] = space;
    for (int i = at; space != ' ' && i < at + from.length(); i++) {
      if (text[i] == ' ') text[i] = space;
    }
  }

  /** All pieces that start at a position; returns the position of the next character. */
  private int step(int at) {
    int codePoint = Character.codePointAt(text, at, length);
    if (codePoint <= Character.MAX_VALUE && Character.isSurrogate((char) codePoint)) {
      text[at] = '\uFFFD';
    }
    int next = at + Character.charCount(codePoint);
    float sum = sums[at - base];
    boolean alone = false;
    for (long match = pieces.first(text, at, length);
        match >= 0;
        match = pieces.next(match, text, length)) {
      int id = pieces.value(match);
      if (id < 0) continue;
      int end = CodePointTrie.end(match);
      reach(end, id, at, scores[id] + sum);
      alone |= end == next;
    }
    if (!alone) reach(next, UNKNOWN, at, unknownScore + sum);
    return next;
  }

  private void reach(int end, int id, int start, double sum) {
    int i = end - base;
    if (i >= sums.length) grow(i);
    reached = Math.max(reached, end);
    if (starts[i] >= 0 && sum <= sums[i]) return;
    ids[i] = id;
    starts[i] = start;
    sums[i] = (float) sum;
  }

  private void grow(int wanted) {
    int before = starts.length;
    int size = Math.max(wanted + 1, 2 * before);
    ids = Arrays.copyOf(ids, size);
    starts = Arrays.copyOf(starts, size);
    sums = Arrays.copyOf(sums, size);
    Arrays.fill(starts, before, size, -1);
  }

  /** Appends the pieces up to a position that no piece crosses, and goes on from there. */
  private void decide(int end, TokenBuffer to) {
    int count = 0;
    int[] ends = new int[end - base];
    for (int at = end; at > base; at = starts[at - base]) ends[count++] = at;
    for (int i = count - 1; i >= 0; i--) {
      int at = ends[i] - base;
      if (ids[at] != UNKNOWN) to.add(ids[at]);
      else vocabulary.appendUnknown(Character.codePointAt(text, starts[at], length), to);
    }
    sums[0] = sums[end - base];
    Arrays.fill(starts, 0, Math.min(starts.length, reached - base + 1), -1);
    base = end;
  }
}
