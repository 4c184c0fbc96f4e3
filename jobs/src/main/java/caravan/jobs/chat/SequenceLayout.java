package caravan.jobs.chat;

import caravan.model.sft.MaskedExample;
import caravan.model.sft.MaskedSequences.Rows;
import caravan.model.sft.MaskedSequences.TooLong;
import caravan.pipeline.shard.TokenType;
import java.io.Serializable;
import java.util.Optional;

/**
 * How conversations lie in sequences.
 *
 * @param sequenceLength tokens per sequence
 * @param eosId fills sequences up
 * @param dtype of the stored ids
 */
record SequenceLayout(int sequenceLength, int eosId, TokenType dtype, Rows rows, TooLong tooLong)
    implements Serializable {

  /** Ids of the longest conversation that fits: its last one is only predicted. */
  int maxIds() {
    return sequenceLength + 1;
  }

  /** Why a conversation is not trained on, or empty. */
  Optional<Defect> defect(MaskedExample example) {
    int length = example.ids().length;
    if (length > maxIds() && tooLong == TooLong.DROP) {
      return Optional.of(
          new Defect("too_long", "%,d tokens, maximum %,d".formatted(length, maxIds())));
    }
    return example.trained().get(0).start() >= maxIds()
        ? Optional.of(
            new Defect(
                "answer_out_of_reach",
                "the first answer begins at token %,d, only %,d fit"
                    .formatted(example.trained().get(0).start(), maxIds())))
        : Optional.empty();
  }

  boolean truncates(MaskedExample example) {
    return example.ids().length > maxIds();
  }
}
