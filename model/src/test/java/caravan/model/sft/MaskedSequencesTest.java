package caravan.model.sft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.engine.TokenBatch;
import caravan.model.sft.MaskedSequences.Counts;
import caravan.model.sft.MaskedSequences.Rows;
import caravan.model.sft.MaskedSequences.TooLong;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MaskedSequencesTest {
  private static final int BOS = 1;
  private static final int EOS = 2;
  private static final int X = TokenBatch.IGNORED;

  /** BOS, question 10 11, answer 20 21 with its EOS. */
  private static final MaskedExample ONE_TURN = example(new int[] {BOS, 10, 11, 20, 21, EOS}, 3, 6);

  @Test
  void onlyTheAnswerAndItsEndAreTrained() {
    MaskedSequences rows = padded(8, ONE_TURN);
    assertThat(rows.ids(0)).containsExactly(BOS, 10, 11, 20, 21, EOS, EOS, EOS);
    assertThat(rows.targets(0)).containsExactly(X, X, 20, 21, EOS, X, X, X);
    assertThat(rows.counts()).isEqualTo(new Counts(1, 1, 0, 0, 0, 3, 0));
  }

  @Test
  void everyAnswerOfAConversationIsTrainedAndNoQuestion() {
    MaskedSequences rows =
        padded(9, example(new int[] {BOS, 10, EOS, 20, EOS, 11, EOS, 21, 22, EOS}, 3, 5, 7, 10));
    assertThat(rows.ids(0)).containsExactly(BOS, 10, EOS, 20, EOS, 11, EOS, 21, 22);
    assertThat(rows.targets(0)).containsExactly(X, X, 20, EOS, X, X, 21, 22, EOS);
  }

  @Test
  void packedExamplesShareARowButNoTargetCrossesBetweenThem() {
    MaskedExample wholeTrained = example(new int[] {7, 8, EOS}, 0, 3);
    MaskedSequences rows =
        MaskedSequences.of(
            List.of(ONE_TURN, wholeTrained, ONE_TURN), 9, EOS, Rows.PACKED, TooLong.DROP);
    assertThat(rows.size()).isEqualTo(2);
    assertThat(rows.ids(0)).containsExactly(BOS, 10, 11, 20, 21, 7, 8, EOS, EOS);
    assertThat(rows.targets(0)).containsExactly(X, X, 20, 21, EOS, 8, EOS, X, X);
    assertThat(rows.targets(1)).containsExactly(X, X, 20, 21, EOS, X, X, X, X);
    assertThat(rows.markedTargets(0))
        .containsExactly(X, X, 20, 21, EOS, TokenBatch.marked(8), EOS, X, X);
    assertThat(rows.markedTargets(1)).isEqualTo(rows.targets(1));
    assertThat(rows.examples(0)).containsExactly(0, 1);
    assertThat(rows.examples(1)).containsExactly(2);
    // The first id of an example has nothing before it to be predicted from.
    assertThat(rows.counts()).isEqualTo(new Counts(3, 3, 0, 0, 0, 8, 1));
  }

  @Test
  void aTooLongExampleIsTruncatedOrDroppedAndCounted() {
    MaskedExample late = example(new int[] {BOS, 10, 11, 12, 13, 14, 20, EOS}, 6, 8);
    List<MaskedExample> examples = List.of(ONE_TURN, late, example(new int[] {BOS, 5}, 1, 2));
    MaskedSequences truncated = MaskedSequences.of(examples, 4, EOS, Rows.PADDED, TooLong.TRUNCATE);
    assertThat(truncated.targets(0)).containsExactly(X, X, 20, 21);
    assertThat(truncated.counts()).isEqualTo(new Counts(3, 2, 1, 0, 1, 3, 3));
    MaskedSequences dropped = MaskedSequences.of(examples, 4, EOS, Rows.PADDED, TooLong.DROP);
    assertThat(dropped.size()).isEqualTo(1);
    assertThat(dropped.counts()).isEqualTo(new Counts(3, 1, 0, 2, 0, 1, 5));
  }

  @Test
  void packingLosesAndInventsNoTrainedToken() {
    Random random = new Random(5);
    for (Rows kind : Rows.values()) {
      var examples = new ArrayList<MaskedExample>();
      var wanted = new ArrayList<Integer>();
      for (int e = 0; e < 200; e++) {
        int[] ids = random.ints(2 + random.nextInt(30), 3, 1000).toArray();
        int start = 1 + random.nextInt(ids.length - 1);
        examples.add(example(ids, start, ids.length));
        Arrays.stream(ids, start, ids.length).forEach(wanted::add);
      }
      MaskedSequences rows = MaskedSequences.of(examples, 32, EOS, kind, TooLong.DROP);
      var got = new ArrayList<Integer>();
      for (int r = 0; r < rows.size(); r++) {
        Arrays.stream(rows.targets(r)).filter(target -> target != X).forEach(got::add);
      }
      assertThat(got).containsExactlyInAnyOrderElementsOf(wanted);
      assertThat(rows.counts().kept()).isEqualTo(200);
      assertThat(rows.counts().cutTrainedTokens()).isZero();
      assertThat(rows.size()).isLessThanOrEqualTo(kind == Rows.PADDED ? 200 : 130);
    }
  }

  @Test
  void aMaskedEndTokenIsRefused() {
    assertThatThrownBy(() -> padded(8, ONE_TURN, example(new int[] {BOS, 10, 20, EOS}, 2, 3)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "example 1: a trained span stops before the end token 2 that follows it: the model"
                + " would never learn to stop; let the span include it");
  }

  @Test
  void dataWithNothingToTrainIsRefused() {
    assertThatThrownBy(() -> padded(2, ONE_TURN))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "fine-tuning data: none of 1 examples can be trained on: 0 longer than 2 tokens, 1"
                + " without a trained token in reach; raise train.sequence-length or check the"
                + " data");
    assertThatThrownBy(() -> padded(8)).hasMessageContaining("none of 0 examples");
    assertThatThrownBy(() -> padded(0, ONE_TURN))
        .hasMessage("sequence length: got 0, wanted at least 1");
  }

  @Test
  void spansMustLieInsideTheExampleAndApart() {
    assertThatThrownBy(() -> example(new int[] {1, 2, 3}, 1, 4))
        .hasMessage(
            "trained span: got 1 to 4, wanted it after the span before it, which ends at 0, and"
                + " inside the example's 3 tokens");
    assertThatThrownBy(() -> example(new int[] {1, 2, 3}, 0, 2, 1, 3))
        .hasMessageContaining("got 1 to 3, wanted it after the span before it, which ends at 2");
    assertThatThrownBy(() -> new TrainedSpan(3, 3))
        .hasMessage("trained span: got 3 to 3, wanted a non-empty range");
  }

  @Test
  void rowsBecomeABatch() {
    TokenBatch batch = padded(5, ONE_TURN, ONE_TURN).batch(1, 0);
    assertThat(batch.batch()).isEqualTo(2);
    assertThat(batch.targets()).containsExactly(X, X, 20, 21, EOS, X, X, 20, 21, EOS);
    assertThat(batch.targetCount()).isEqualTo(6);
  }

  private static MaskedSequences padded(int seq, MaskedExample... examples) {
    return MaskedSequences.of(List.of(examples), seq, EOS, Rows.PADDED, TooLong.TRUNCATE);
  }

  private static MaskedExample example(int[] ids, int... startsAndEnds) {
    var spans = new ArrayList<TrainedSpan>();
    for (int i = 0; i < startsAndEnds.length; i += 2) {
      spans.add(new TrainedSpan(startsAndEnds[i], startsAndEnds[i + 1]));
    }
    return new MaskedExample(ids, spans);
  }
}
