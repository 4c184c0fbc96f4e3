package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The merges of a SentencePiece vocabulary that may still grow: two neighbours merge where their
 * texts together are a piece, and the piece of highest score goes first.
 *
 * <p>Symbols are the texts that pieces can be split into, whether they are pieces themselves or not
 * yet: so a piece that is added later finds the merges of longer ones that need it.
 */
final class PieceMerges {
  private final Map<String, Integer> symbolOf = new HashMap<>();
  private final List<String> texts = new ArrayList<>();
  private final PairMerges merges = new PairMerges();
  private final BpeMerger merger = new BpeMerger(merges);
  private int nextRank;

  private PieceMerges() {}

  /** The merges of a vocabulary's normal pieces; equal scores have equal ranks, from 0 on. */
  static PieceMerges of(SentencePieceModel model) {
    List<Piece> normal =
        model.pieces().stream().filter(piece -> piece.type() == PieceType.NORMAL).toList();
    TreeMap<Float, Integer> ranks = new TreeMap<>(Comparator.reverseOrder());
    normal.forEach(piece -> ranks.put(piece.score(), 0));
    PieceMerges merges = new PieceMerges();
    ranks.replaceAll((score, old) -> merges.nextRank++);
    normal.forEach(piece -> merges.add(piece.text(), ranks.get(piece.score())));
    return merges;
  }

  /** Adds a piece that is merged after all others; gives its symbol. */
  int addLast(String piece) {
    return add(piece, nextRank++);
  }

  /**
   * Adds a piece.
   *
   * @param rank lower ones are merged first
   * @return its symbol
   */
  private int add(String piece, int rank) {
    int symbol = symbol(piece);
    for (int i = 1; i < piece.length(); i++) {
      if (Character.isLowSurrogate(piece.charAt(i))) continue;
      merges.put(symbol(piece.substring(0, i)), symbol(piece.substring(i)), rank, symbol);
    }
    return symbol;
  }

  /** The symbol of a text; a new one where no piece had this part before. */
  int symbol(String text) {
    Integer known = symbolOf.get(text);
    if (known != null) return known;
    symbolOf.put(text, texts.size());
    texts.add(text);
    return texts.size() - 1;
  }

  /** Parts that a text is merged into, from its characters on. */
  List<String> split(String text) {
    int[] symbols = text.codePoints().map(c -> symbol(Character.toString(c))).toArray();
    int length = merger.merge(symbols, symbols.length);
    List<String> parts = new ArrayList<>();
    for (int i = 0; i < length; i++) parts.add(texts.get(symbols[i]));
    return parts;
  }

  /**
   * Merges in place.
   *
   * @return the number of symbols left, at the start of {@code symbols}
   */
  int merge(int[] symbols, int count) {
    return merger.merge(symbols, count);
  }
}
