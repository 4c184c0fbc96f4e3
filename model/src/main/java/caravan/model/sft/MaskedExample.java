package caravan.model.sft;

import caravan.model.engine.TokenBatch;
import java.util.Arrays;
import java.util.List;

/**
 * One conversation in tokens.
 *
 * @param ids the whole conversation, BOS included
 * @param trained what is trained, in order and disjoint; everything else is only read
 */
public record MaskedExample(int[] ids, List<TrainedSpan> trained) {
  public MaskedExample {
    trained = List.copyOf(trained);
    int free = 0;
    for (TrainedSpan span : trained) {
      if (span.start() < free || span.end() > ids.length) {
        throw new IllegalArgumentException(
            "trained span: got "
                + span.start()
                + " to "
                + span.end()
                + ", wanted it after the span before it, which ends at "
                + free
                + ", and inside the example's "
                + ids.length
                + " tokens");
      }
      free = span.end();
    }
  }

  /**
   * [ids.length − 1] what each position but the last predicts, {@link TokenBatch#IGNORED} unless it
   * lies in a trained span.
   */
  int[] targets() {
    int[] targets = new int[Math.max(0, ids.length - 1)];
    Arrays.fill(targets, TokenBatch.IGNORED);
    for (TrainedSpan span : trained) {
      for (int i = Math.max(1, span.start()); i < span.end(); i++) {
        targets[i - 1] = ids[i];
      }
    }
    return targets;
  }

  /** Length of the trained spans together. */
  long trainedTokens() {
    return trained.stream().mapToLong(span -> span.end() - span.start()).sum();
  }

  /**
   * The commonest fault of fine-tuned models is that they never stop, because the end token after
   * the answer was masked.
   *
   * @return whether a span stops right before an end token that is itself not trained
   */
  boolean masksEnd(int eos) {
    int[] targets = targets();
    return trained.stream()
        .mapToInt(TrainedSpan::end)
        .anyMatch(
            end ->
                end < ids.length
                    && ids[end] == eos
                    && ids[end - 1] != eos
                    && targets[end - 1] == TokenBatch.IGNORED);
  }
}
