package caravan.pipeline.tokenize;

import java.util.HashMap;
import java.util.Map;

/**
 * BPE models with unused pieces: these take part in merges, and are taken apart again at the end,
 * as SentencePiece does, into the two parts that last stood side by side anywhere in the text. So a
 * text is looked at as a whole, in 40 bytes a character; a rare kind of model.
 */
final class ResegmentingBpe implements TextEncoder {
  private final PieceSymbols vocabulary;
  private final char space;
  private final Map<Integer, int[]> parts = new HashMap<>();
  private final BpeMerger merger;

  ResegmentingBpe(PieceSymbols vocabulary, char space) {
    this.vocabulary = vocabulary;
    this.space = space;
    this.merger =
        new BpeMerger(
            vocabulary.merges(),
            (left, right, merged) -> {
              if (vocabulary.isUnused(merged)) parts.put(merged, new int[] {left, right});
            });
  }

  @Override
  public void encode(String text, boolean prefix, boolean suffix, TokenBuffer ids) {
    String whole = (prefix ? " " : "") + text + (suffix ? " " : "");
    char[] characters = whole.replace(' ', space).toCharArray();
    int[] symbols = new int[characters.length];
    int count = 0;
    for (int i = 0; i < characters.length; ) {
      long frozen = vocabulary.frozen().longest(characters, i, characters.length);
      if (frozen >= 0) {
        symbols[count++] = (int) (frozen >>> 32);
        i = (int) frozen;
        continue;
      }
      int codePoint = Character.codePointAt(characters, i);
      i += Character.charCount(codePoint);
      boolean half = codePoint <= 0xFFFF && Character.isSurrogate((char) codePoint);
      symbols[count++] = vocabulary.symbolOrUnknown(half ? 0xFFFD : codePoint);
    }
    parts.clear();
    count = merger.merge(symbols, count);
    for (int i = 0; i < count; i++) append(symbols[i], ids);
  }

  private void append(int symbol, TokenBuffer ids) {
    int[] split = symbol < 0 ? null : parts.get(symbol);
    if (symbol < 0) {
      vocabulary.appendUnknown(~symbol, ids);
    } else if (split == null) {
      vocabulary.appendIds(symbol, ids);
    } else {
      append(split[0], ids);
      append(split[1], ids);
    }
  }
}
