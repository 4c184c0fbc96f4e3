package caravan.model.checkpoint;

import java.io.ByteArrayOutputStream;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * llama2.c's {@code tokenizer.bin}: u32 longest piece in bytes, then per id a float score, u32
 * length and the piece's bytes. Works on UTF-8 bytes, as {@code run.c} does: greedy pair merging by
 * score with the leftmost of equals first, bytes of unknown code points as ids 3 to 258.
 */
public final class Llama2cTokenizer {
  private static final int BOS = 1;
  private static final int FIRST_BYTE_ID = 3;

  private final List<byte[]> pieces = new ArrayList<>();
  private final List<Float> scores = new ArrayList<>();
  private final Map<ByteBuffer, Integer> ids = new HashMap<>();

  /**
   * @param file the whole file
   * @param vocabSize the model's vocabulary size, which the file does not state
   * @throws IllegalArgumentException when the file does not hold exactly that many pieces
   */
  public Llama2cTokenizer(byte[] file, int vocabSize) {
    ByteBuffer in = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    try {
      in.getInt();
      while (in.hasRemaining()) {
        scores.add(in.getFloat());
        int length = in.getInt();
        if (length < 0 || length > in.remaining()) {
          throw new BufferUnderflowException();
        }
        byte[] piece = new byte[length];
        in.get(piece);
        ids.putIfAbsent(ByteBuffer.wrap(piece), pieces.size());
        pieces.add(piece);
      }
    } catch (BufferUnderflowException e) {
      throw new IllegalArgumentException(
          "tokenizer.bin: cut short after piece " + pieces.size() + ", wanted " + vocabSize, e);
    }
    if (pieces.size() != vocabSize) {
      throw new IllegalArgumentException(
          "tokenizer.bin: "
              + pieces.size()
              + " pieces, wanted the model's vocabulary of "
              + vocabSize
              + "; it belongs to another model");
    }
  }

  /**
   * @param utf8 text
   * @return its ids, without BOS
   */
  public int[] encode(byte[] utf8) {
    var tokens = new ArrayList<Integer>();
    if (utf8.length > 0) {
      append(tokens, new byte[] {' '});
    }
    for (int start = 0, end; start < utf8.length; start = end) {
      end = start + 1;
      while (end < utf8.length && (utf8[end] & 0xc0) == 0x80 && end - start < 4) {
        end++;
      }
      append(tokens, java.util.Arrays.copyOfRange(utf8, start, end));
    }
    while (mergeBest(tokens)) {
      continue;
    }
    return tokens.stream().mapToInt(Integer::intValue).toArray();
  }

  private void append(List<Integer> tokens, byte[] codePoint) {
    Integer id = ids.get(ByteBuffer.wrap(codePoint));
    if (id != null) {
      tokens.add(id);
      return;
    }
    for (byte b : codePoint) {
      tokens.add((b & 0xff) + FIRST_BYTE_ID);
    }
  }

  private boolean mergeBest(List<Integer> tokens) {
    float bestScore = Float.NEGATIVE_INFINITY;
    int bestAt = -1;
    int bestId = -1;
    for (int i = 0; i + 1 < tokens.size(); i++) {
      byte[] left = pieces.get(tokens.get(i));
      byte[] right = pieces.get(tokens.get(i + 1));
      ByteBuffer joined = ByteBuffer.allocate(left.length + right.length).put(left).put(right);
      Integer id = ids.get(joined.flip());
      if (id != null && scores.get(id) > bestScore) {
        bestScore = scores.get(id);
        bestAt = i;
        bestId = id;
      }
    }
    if (bestAt < 0) {
      return false;
    }
    tokens.set(bestAt, bestId);
    tokens.remove(bestAt + 1);
    return true;
  }

  /**
   * @param tokens ids, with or without a leading BOS
   * @return UTF-8 bytes; the space that encoding put before the text is taken away after BOS
   */
  public byte[] decode(int... tokens) {
    var out = new ByteArrayOutputStream();
    int previous = -1;
    for (int id : tokens) {
      if (id < 0 || id >= pieces.size()) {
        throw new IllegalArgumentException(
            "id " + id + " is outside the vocabulary of " + pieces.size());
      }
      byte[] piece = bytes(id);
      int from = previous == BOS && piece.length > 0 && piece[0] == ' ' ? 1 : 0;
      if (id != BOS) {
        out.write(piece, from, piece.length - from);
      }
      previous = id;
    }
    return out.toByteArray();
  }

  /** Pieces such as {@code <0x0A>} stand for one byte. */
  private byte[] bytes(int id) {
    byte[] piece = pieces.get(id);
    if (piece.length == 6 && piece[0] == '<' && piece[1] == '0' && piece[5] == '>') {
      return new byte[] {
        (byte) Integer.parseInt(new String(piece, 3, 2, StandardCharsets.US_ASCII), 16)
      };
    }
    return piece;
  }
}
