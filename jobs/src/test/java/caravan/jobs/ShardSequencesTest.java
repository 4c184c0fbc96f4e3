package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.engine.TokenBatch;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Where the documents of a pretraining sequence begin. */
class ShardSequencesTest {
  private static final int BOS = 1;
  private static final int EOS = 2;

  /** Targets of all but the last token, isolated. */
  private static TokenBatch isolated(int... tokens) {
    int[] ids = Arrays.copyOf(tokens, tokens.length - 1);
    int[] targets = new int[ids.length + 3];
    System.arraycopy(tokens, 1, targets, 3, ids.length);
    ShardSequences.isolate(tokens, BOS, EOS, targets, 3);
    return TokenBatch.ofMarked(ids, Arrays.copyOfRange(targets, 3, targets.length), 1, ids.length);
  }

  @Test
  void documentsBeginAtBosAndTheLastTokenOfOneDoesNotPredictTheNext() {
    TokenBatch batch = isolated(7, 8, EOS, BOS, 9, EOS, BOS, 5);
    assertThat(batch.starts()).containsExactly(0, 0, 0, 3, 3, 3, 6);
    assertThat(batch.targets()).containsExactly(8, EOS, -1, 9, EOS, -1, 5);
  }

  @Test
  void oneOfTheTwoSpecialTokensIsEnough() {
    TokenBatch bosAlone = isolated(7, 8, BOS, 9, 6);
    assertThat(bosAlone.starts()).containsExactly(0, 0, 2, 2);
    assertThat(bosAlone.targets()).containsExactly(8, -1, 9, 6);
    TokenBatch eosAlone = isolated(7, EOS, 8, 9, 6);
    assertThat(eosAlone.starts()).containsExactly(0, 0, 2, 2);
    assertThat(eosAlone.targets()).containsExactly(EOS, -1, 9, 6);
  }

  @Test
  void aSequenceThatOneDocumentFillsIsNotPacked() {
    TokenBatch batch = isolated(BOS, 8, 9, EOS);
    assertThat(batch.isPacked()).isFalse();
    assertThat(batch.targets()).containsExactly(8, 9, EOS);
  }
}
