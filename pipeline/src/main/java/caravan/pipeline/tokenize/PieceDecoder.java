package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Ids to text by SentencePiece's rules: {@code ▁} is a space, the space that encoding puts before
 * the text is taken off again, control pieces vanish, and a run of byte pieces is read as UTF-8
 * with one U+FFFD for each byte that is part of no character.
 */
final class PieceDecoder {
  private static final String SPACE = "\u2581";

  private final List<Piece> pieces;
  private final boolean dropsFirstSpace;
  private final String unkSurface;

  /** The byte that an id stands for, or -1. */
  private final int[] byteValues;

  PieceDecoder(SentencePieceModel model) {
    pieces = model.pieces();
    byteValues =
        pieces.stream()
            .mapToInt(piece -> piece.type() == PieceType.BYTE ? byteValue(piece) : -1)
            .toArray();
    dropsFirstSpace = model.normalizer().addDummyPrefix();
    unkSurface = model.trainer().specials().unkSurface();
  }

  String decode(int[] ids) {
    StringBuilder out = new StringBuilder();
    ByteArrayOutputStream run = new ByteArrayOutputStream();
    boolean atStart = dropsFirstSpace;
    for (int id : ids) {
      Piece piece = pieces.get(Ids.requireInVocabulary(id, pieces.size()));
      if (byteValues[id] >= 0) {
        run.write(byteValues[id]);
        continue;
      }
      flush(run, out);
      atStart &= out.isEmpty();
      String text = surface(piece);
      boolean takeSpace = atStart && piece.isText() && piece.text().startsWith(SPACE);
      if (takeSpace) atStart = false;
      out.append(text, takeSpace ? 1 : 0, text.length());
    }
    flush(run, out);
    return out.toString();
  }

  private String surface(Piece piece) {
    if (piece.type() == PieceType.CONTROL) return "";
    if (piece.type() == PieceType.UNKNOWN) return unkSurface;
    return piece.text().replace(SPACE, " ");
  }

  /** The byte that a piece such as {@code <0x0A>} stands for. */
  static int byteValue(Piece piece) {
    String text = piece.text();
    if (!text.matches("<0x[0-9A-F]{2}>")) {
      throw new IllegalArgumentException("byte piece '" + text + "', wanted <0x00> to <0xFF>");
    }
    return Integer.parseInt(text.substring(3, 5), 16);
  }

  private static void flush(ByteArrayOutputStream run, StringBuilder out) {
    if (run.size() == 0) return;
    byte[] bytes = run.toByteArray();
    run.reset();
    for (int i = 0; i < bytes.length; ) {
      int length = characterLength(bytes, i);
      if (length == 0) {
        out.append('\uFFFD');
        i++;
      } else {
        out.append(new String(bytes, i, length, StandardCharsets.UTF_8));
        i += length;
      }
    }
  }

  /** Bytes of the UTF-8 character that starts at a position, or 0 if none does. */
  private static int characterLength(byte[] bytes, int start) {
    int first = bytes[start] & 0xFF;
    if (first < 0x80) return 1;
    int length = first >= 0xF8 ? 0 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 0;
    if (length == 0 || start + length > bytes.length) return 0;
    int codePoint = first & (0x7F >> length);
    for (int i = 1; i < length; i++) {
      if ((bytes[start + i] & 0xC0) != 0x80) return 0;
      codePoint = codePoint << 6 | bytes[start + i] & 0x3F;
    }
    int smallest = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
    boolean surrogate = codePoint >= 0xD800 && codePoint <= 0xDFFF;
    return codePoint < smallest || codePoint > 0x10FFFF || surrogate ? 0 : length;
  }
}
