package caravan.jobs.chat;

import caravan.model.sft.MaskedSequences.Rows;
import caravan.model.sft.MaskedSequences.TooLong;
import java.io.Serializable;

/**
 * How conversations become training sequences; the keys under {@code sft} in reference.conf.
 *
 * @param tooLong what happens to a conversation that is longer than a sequence
 * @param rows how conversations share sequences
 * @param validationFraction share of the conversations that is held out
 * @param maxDroppedFraction share of the records that may be unusable
 */
public record ChatConfig(
    TooLong tooLong, Rows rows, double validationFraction, double maxDroppedFraction)
    implements Serializable {

  public ChatConfig {
    if (!(validationFraction >= 0 && validationFraction < 1)) {
      throw new IllegalArgumentException(
          "sft.validation-fraction: got " + validationFraction + ", wanted a number in [0, 1)");
    }
    if (!(maxDroppedFraction >= 0 && maxDroppedFraction <= 1)) {
      throw new IllegalArgumentException(
          "sft.max-dropped-fraction: got " + maxDroppedFraction + ", wanted a number in [0, 1]");
    }
  }
}
