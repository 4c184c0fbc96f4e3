package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.ModelType;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A SentencePiece vocabulary in numbers. A symbol is a piece (numbered by its id), a character that
 * pieces are made of without being one, or a user-defined symbol in its place in a text, which
 * merges with nothing. Texts become symbols, symbols merge ({@link #merges}), and what is left
 * becomes ids ({@link #appendIds}).
 *
 * <p>A character's entry ({@link #character}, {@link #beyondPlane}) holds its symbol and what the
 * scan of a text asks first. A text may be cut between two characters that no piece holds side by
 * side: see {@link PieceAlphabet}.
 */
final class PieceSymbols {
  /** Bits of an entry that hold the symbol. */
  static final int SYMBOL = (1 << 24) - 1;

  /** Another letter may follow without asking whether to cut. */
  static final int LETTER = 1 << 24;

  /** Some piece goes on after the character. */
  static final int GOES_ON = 1 << 25;

  /** Some piece holds another before the character. */
  static final int GOES_BEFORE = 1 << 26;

  /** Alone, its id is one. */
  static final int ONE_ID = 1 << 27;

  /** The sign bit: not a plain character of a piece. */
  static final int SPECIAL = 1 << 31;

  /** With {@link #SPECIAL}: no piece holds the character. */
  static final int UNKNOWN = SPECIAL;

  /** With {@link #SPECIAL}: half of a character. */
  static final int SURROGATE = SPECIAL | 1;

  /** With {@link #SPECIAL}: a space, which is to be read as {@code ▁}. */
  static final int SPACE = SPECIAL | 2;

  private static final int MAX_SYMBOLS = SYMBOL;

  private final SentencePieceModel model;
  private final Map<String, Integer> pieces = new HashMap<>();
  private final Map<String, Integer> reserved = new HashMap<>();
  private final int[] entries = new int[1 << 16];
  private final Map<Integer, Integer> beyond = new HashMap<>();
  private final List<String> others = new ArrayList<>();
  private final PairMerges merges = new PairMerges();
  private final CodePointTrie frozen = new CodePointTrie();
  private final long[] neighbours;
  private final int neighbourMask;
  private final Set<Long> joined = new HashSet<>();
  private final int[] byteIds = new int[256];
  private final boolean byteFallback;
  private final int unkId;

  /** A symbol's id, or -1 where it has not exactly one. */
  private int[] ids;

  /**
   * @throws IllegalArgumentException if a piece stands twice in the vocabulary, or the unknown
   *     piece or (with byte fallback) a byte is missing
   */
  PieceSymbols(SentencePieceModel model) {
    this.model = model;
    byteFallback = model.trainer().byteFallback();
    Arrays.fill(byteIds, -1);
    unkId = readPieces();
    int characters = model.pieces().stream().mapToInt(piece -> piece.text().length()).sum();
    neighbours = new long[Math.max(1, Math.min(1 << 14, Integer.highestOneBit(characters) / 8))];
    neighbourMask = 64 * neighbours.length - 1;
    Arrays.fill(entries, UNKNOWN);
    Arrays.fill(entries, Character.MIN_SURROGATE, Character.MAX_SURROGATE + 1, SURROGATE);
    readCharacters();
    if (model.trainer().modelType() == ModelType.BPE) readMerges();
    readFrozen();
    readIds();
    if (model.normalizer().escapeWhitespaces()) entries[' '] = SPACE;
  }

  private int readPieces() {
    int unknown = -1;
    for (int id = 0; id < model.pieces().size(); id++) {
      Piece piece = model.pieces().get(id);
      if (piece.text().isEmpty()) throw new IllegalArgumentException("piece " + id + " is empty");
      Map<String, Integer> texts = piece.isText() ? pieces : reserved;
      if (texts.put(piece.text(), id) != null) {
        throw new IllegalArgumentException("the piece '" + piece.text() + "' stands in it twice");
      }
      if (piece.type() == PieceType.UNKNOWN) unknown = id;
      if (piece.type() == PieceType.BYTE) byteIds[PieceDecoder.byteValue(piece)] = id;
    }
    if (unknown < 0) throw new IllegalArgumentException("it has no unknown piece");
    for (int value = 0; byteFallback && value < 256; value++) {
      if (byteIds[value] < 0) {
        throw new IllegalArgumentException(String.format("it has no piece <0x%02X>", value));
      }
    }
    return unknown;
  }

  private void readCharacters() {
    for (String piece : pieces.keySet().stream().sorted().toList()) {
      int before = -1;
      for (int i = 0; i < piece.length(); ) {
        int codePoint = piece.codePointAt(i);
        i += Character.charCount(codePoint);
        int entry = entry(codePoint);
        if (entry == UNKNOWN) entry = symbolOf(Character.toString(codePoint));
        if (isLetter(codePoint)) entry |= LETTER;
        if (before >= 0) entry |= GOES_BEFORE;
        if (i < piece.length()) entry |= GOES_ON;
        setEntry(codePoint, entry);
        if (before >= 0) {
          joined.add((long) before << 32 | codePoint);
          int bit = neighbour(entry(before) & SYMBOL, entry & SYMBOL);
          neighbours[bit >>> 6] |= 1L << bit;
        }
        before = codePoint;
      }
    }
  }

  /** Letters that mostly stand in words: looking for a cut between them would cost more. */
  private static boolean isLetter(int codePoint) {
    return codePoint >= 'a' && codePoint <= 'z' || codePoint >= 'A' && codePoint <= 'Z';
  }

  private int symbolOf(String character) {
    Integer id = pieces.get(character);
    if (id != null) return id;
    int symbol = model.pieces().size() + others.size();
    if (symbol > MAX_SYMBOLS) throw new IllegalArgumentException("more than 2^24 pieces");
    others.add(character);
    return symbol;
  }

  private void readMerges() {
    int[] ranks = ranks();
    pieces.forEach(
        (piece, id) -> {
          int end = piece.offsetByCodePoints(piece.length(), -1);
          for (int cut = 0; cut < end; ) {
            cut = piece.offsetByCodePoints(cut, 1);
            int left = part(piece.substring(0, cut));
            int right = part(piece.substring(cut));
            if (left >= 0 && right >= 0) merges.put(left, right, ranks[id], id);
          }
        });
  }

  /** The symbol of a piece's part, or -1 where it is neither a piece nor one character. */
  private int part(String text) {
    if (text.codePointCount(0, text.length()) == 1) return entry(text.codePointAt(0)) & SYMBOL;
    return pieces.getOrDefault(text, -1);
  }

  /** Order of the pieces' merges: highest score first, equal scores equal. */
  private int[] ranks() {
    Integer[] order = pieces.values().toArray(Integer[]::new);
    Arrays.sort(order, (a, b) -> Float.compare(score(b), score(a)));
    int[] ranks = new int[model.pieces().size()];
    for (int i = 1, rank = 0; i < order.length; i++) {
      if (score(order[i]) != score(order[i - 1])) rank++;
      ranks[order[i]] = rank;
    }
    return ranks;
  }

  private float score(int id) {
    return model.pieces().get(id).score();
  }

  private void readFrozen() {
    for (int id = 0; id < model.pieces().size(); id++) {
      Piece piece = model.pieces().get(id);
      if (piece.type() != PieceType.USER_DEFINED) continue;
      frozen.put(piece.text(), model.pieces().size() + others.size());
      others.add(piece.text());
    }
  }

  private void readIds() {
    int count = model.pieces().size();
    ids = new int[count + others.size()];
    for (int symbol = 0; symbol < ids.length; symbol++) {
      ids[symbol] = idOf(symbol < count ? model.pieces().get(symbol).text() : text(symbol));
    }
    for (int c = 0; c < entries.length; c++) {
      if (entries[c] >= 0 && ids[entries[c] & SYMBOL] >= 0 && frozen.isEmpty())
        entries[c] |= ONE_ID;
    }
  }

  private String text(int symbol) {
    return others.get(symbol - model.pieces().size());
  }

  /** As SentencePiece's PieceToId: the names of special pieces come first; -1 for bytes. */
  private int idOf(String text) {
    Integer id = reserved.getOrDefault(text, pieces.get(text));
    boolean unknown = id == null || id == unkId;
    return !unknown ? id : byteFallback ? -1 : unkId;
  }

  private int entry(int codePoint) {
    return codePoint <= Character.MAX_VALUE ? entries[codePoint] : beyondPlane(codePoint);
  }

  private void setEntry(int codePoint, int entry) {
    if (codePoint <= Character.MAX_VALUE) entries[codePoint] = entry;
    else beyond.put(codePoint, entry);
  }

  /** The entries of the Basic Multilingual Plane. */
  int[] character() {
    return entries;
  }

  /** The entry of a code point beyond U+FFFF. */
  int beyondPlane(int codePoint) {
    return beyond.getOrDefault(codePoint, UNKNOWN);
  }

  PairMerges merges() {
    return merges;
  }

  /** User-defined symbols, to the symbols that they are in a text. */
  CodePointTrie frozen() {
    return frozen;
  }

  /** Whether a piece may hold two characters side by side; false is certain. */
  boolean mayJoin(int left, int right) {
    if ((left & GOES_ON) == 0 || (right & GOES_BEFORE) == 0) return false;
    int bit = neighbour(left & SYMBOL, right & SYMBOL);
    return (neighbours[bit >>> 6] & 1L << bit) != 0;
  }

  /** Whether a piece holds two code points side by side. */
  boolean joins(int left, int right) {
    return joined.contains((long) left << 32 | right);
  }

  private int neighbour(int left, int right) {
    int mixed = left * 0x9E3779B1 + right * 0x85EBCA77;
    return (mixed ^ mixed >>> 15) & neighbourMask;
  }

  /** The symbol of a character, or its complement if no piece holds it. */
  int symbolOrUnknown(int codePoint) {
    int entry = codePoint == ' ' && entries[' '] == SPACE ? UNKNOWN : entry(codePoint);
    return entry < 0 ? ~codePoint : entry & SYMBOL;
  }

  /** Whether a symbol is an unused piece. */
  boolean isUnused(int symbol) {
    return symbol < model.pieces().size() && model.pieces().get(symbol).type() == PieceType.UNUSED;
  }

  /** Appends what a symbol is once nothing merges any more. */
  void appendIds(int symbol, TokenBuffer to) {
    if (ids[symbol] >= 0) to.add(ids[symbol]);
    else
      appendBytes(
          symbol < model.pieces().size() ? model.pieces().get(symbol).text() : text(symbol), to);
  }

  /** Appends what a character is that no piece holds. */
  void appendUnknown(int codePoint, TokenBuffer to) {
    if (!byteFallback) {
      to.add(unkId);
    } else if (codePoint < 0x80) {
      to.add(byteIds[codePoint]);
    } else {
      int rest = codePoint < 0x800 ? 1 : codePoint < 0x10000 ? 2 : 3;
      to.add(byteIds[0xFF00 >>> rest + 1 & 0xFF | codePoint >>> 6 * rest]);
      while (rest-- > 0) to.add(byteIds[0x80 | codePoint >>> 6 * rest & 0x3F]);
    }
  }

  private void appendBytes(String text, TokenBuffer to) {
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) to.add(byteIds[b & 0xFF]);
  }

  boolean byteFallback() {
    return byteFallback;
  }

  int unkId() {
    return unkId;
  }
}
