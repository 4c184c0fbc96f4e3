package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** How a larger SentencePiece vocabulary goes on where another ends. */
public final class ExtendedVocabulary {
  private final SentencePieceModel base;
  private final SentencePieceModel extended;

  private ExtendedVocabulary(SentencePieceModel base, SentencePieceModel extended) {
    this.base = base;
    this.extended = extended;
  }

  /**
   * The first thing in which a vocabulary is no extension of another: fewer pieces, or another
   * piece with an old id. Empty if all old ids stand for the same pieces.
   */
  public static Optional<String> difference(SentencePieceModel base, SentencePieceModel extended) {
    int common = Math.min(base.pieces().size(), extended.pieces().size());
    for (int id = 0; id < common; id++) {
      Piece old = base.pieces().get(id);
      Piece now = extended.pieces().get(id);
      if (!old.text().equals(now.text()) || old.type() != now.type()) {
        return Optional.of(
            String.format(
                Locale.ROOT,
                "id %,d is '%s' in the one, '%s' in the other",
                id,
                old.text(),
                now.text()));
      }
    }
    return common == base.pieces().size()
        ? Optional.empty()
        : Optional.of(
            String.format(
                Locale.ROOT,
                "it has %,d pieces, %,d are there already",
                common,
                base.pieces().size()));
  }

  /**
   * @throws IllegalArgumentException if it is no extension
   */
  public static ExtendedVocabulary of(SentencePieceModel base, SentencePieceModel extended) {
    difference(base, extended)
        .ifPresent(
            difference -> {
              throw new IllegalArgumentException(
                  "the tokenizer does not extend the base's: " + difference);
            });
    return new ExtendedVocabulary(base, extended);
  }

  /**
   * Of each new id, the ids by which the base writes the piece's text: merged as the base merges,
   * characters without a piece as bytes.
   */
  public int[][] oldIds() {
    Map<String, Integer> idOf = new HashMap<>();
    int[] byteIds = new int[256];
    for (int id = 0; id < base.pieces().size(); id++) {
      Piece piece = base.pieces().get(id);
      if (piece.type() == PieceType.BYTE) byteIds[PieceDecoder.byteValue(piece)] = id;
      else if (piece.isText()) idOf.put(piece.text(), id);
    }
    PieceMerges merges = PieceMerges.of(base);
    List<int[]> all = new ArrayList<>();
    for (Piece piece : extended.pieces().subList(base.pieces().size(), extended.pieces().size())) {
      TokenBuffer ids = new TokenBuffer();
      for (String part : merges.split(piece.text())) {
        Integer id = idOf.get(part);
        if (id != null) {
          ids.add(id);
        } else {
          for (byte b : part.getBytes(StandardCharsets.UTF_8)) ids.add(byteIds[b & 0xFF]);
        }
      }
      all.add(ids.toArray());
    }
    return all.toArray(int[][]::new);
  }
}
