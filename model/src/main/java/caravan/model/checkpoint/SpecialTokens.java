package caravan.model.checkpoint;

import java.util.List;
import java.util.OptionalInt;

/**
 * Ids that a model's own files must name.
 *
 * @param bos begins every document; empty when the vocabulary has none
 * @param eos each of them ends generation; empty when the vocabulary has none
 */
public record SpecialTokens(OptionalInt bos, List<Integer> eos) {
  public SpecialTokens {
    eos = List.copyOf(eos);
  }

  /** The usual pair, such as SentencePiece's 1 and 2. */
  public static SpecialTokens of(int bos, int eos) {
    return new SpecialTokens(OptionalInt.of(bos), List.of(eos));
  }

  public static SpecialTokens none() {
    return new SpecialTokens(OptionalInt.empty(), List.of());
  }
}
