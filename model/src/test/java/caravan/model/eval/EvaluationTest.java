package caravan.model.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.Golden;
import caravan.model.engine.CpuEngine;
import caravan.model.eval.Loglikelihood.Request;
import caravan.model.eval.Loglikelihood.Score;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Against logits that transformers computed, and by hand where those end. */
class EvaluationTest {
  private static final Offset<Double> CLOSE = Offset.offset(1e-4);

  private Golden golden;
  private CpuEngine engine;
  private int[] first;
  private int[] second;
  private int seq;

  @BeforeEach
  void open() throws IOException {
    golden = Golden.open("grouped-untied");
    engine = new CpuEngine(golden.config(), 1);
    seq = golden.batch().seq();
    first = Arrays.copyOf(golden.batch().ids(), seq);
    second = Arrays.copyOfRange(golden.batch().ids(), seq, 2 * seq);
  }

  @AfterEach
  void close() {
    engine.close();
    golden.close();
  }

  @Test
  void aContinuationsScoreIsTheSumOfItsTokensAndBatchingDoesNotMatter() {
    List<Request> requests =
        List.of(
            request(first, 0, 1, 4),
            request(second, 0, 6, 11),
            request(first, 0, 10, 11),
            request(second, 0, 1, 2));
    for (int batchTokens : new int[] {1, 12, 1000}) {
      List<Score> scores = loglikelihood(batchTokens).score(requests);
      assertScore(scores.get(0), 0, first, 1, 4);
      assertScore(scores.get(1), seq, second, 6, 11);
      assertScore(scores.get(2), 0, first, 10, 11);
      assertScore(scores.get(3), seq, second, 1, 2);
    }
  }

  @Test
  void aContinuationIsGreedyOnlyWhenEveryTokenIsTheMostProbable() {
    int[] whole = new int[golden.prompt().length + 5];
    System.arraycopy(golden.prompt(), 0, whole, 0, golden.prompt().length);
    System.arraycopy(golden.continuation(), 0, whole, golden.prompt().length, 5);
    int[] other = whole.clone();
    other[whole.length - 1] = (other[whole.length - 1] + 1) % golden.config().vocabSize();
    List<Score> scores =
        loglikelihood(100)
            .score(
                List.of(
                    request(whole, 0, golden.prompt().length, whole.length),
                    request(other, 0, golden.prompt().length, whole.length)));
    assertThat(scores.get(0).greedy()).isTrue();
    assertThat(scores.get(1).greedy()).isFalse();
    assertThat(scores.get(0).logProbability()).isGreaterThan(scores.get(1).logProbability());
  }

  @Test
  void aContextThatDoesNotFitLosesItsStart() {
    int[] ids = random(50);
    List<Score> scores =
        loglikelihood(1000).score(List.of(request(ids, 0, 45, 50), request(ids, 17, 45, 50)));
    // 32 positions hold the last 32 of the 49 inputs.
    assertThat(scores.get(0).cutContext()).isEqualTo(17);
    assertThat(scores.get(1).cutContext()).isZero();
    assertThat(scores.get(0).logProbability()).isCloseTo(scores.get(1).logProbability(), CLOSE);
  }

  @Test
  void requestsThatCannotBeScoredAreRefused() {
    Loglikelihood scorer = loglikelihood(10);
    assertThatThrownBy(() -> scorer.score(List.of(new Request(new int[0], first))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "request 0: the context has no tokens, wanted at least one (BOS for an empty context)");
    assertThatThrownBy(() -> scorer.score(List.of(new Request(first, new int[0]))))
        .hasMessageContaining("request 0: the continuation has no tokens");
    assertThatThrownBy(() -> scorer.score(List.of(new Request(first, random(33)))))
        .hasMessage(
            "request 0: the continuation has 33 tokens, wanted at most the model's context of 32");
    assertThatThrownBy(() -> loglikelihood(0)).hasMessage("batch tokens: got 0, wanted at least 1");
  }

  @Test
  void perplexityIsTheMeanOverTokensWithSequencesAsUnits() {
    for (int batchTokens : new int[] {1, 25}) {
      Perplexity perplexity = new Perplexity(engine, golden.parameters(), batchTokens);
      perplexity.add(first);
      perplexity.add(Arrays.copyOf(second, 6));
      Perplexity.Result result = perplexity.result();
      double[] loss = {-expected(0, first, 1, 11), -expected(seq, second, 1, 6)};
      double right = rightTokens(0, first, 11) + rightTokens(seq, second, 6);
      double mean = (loss[0] + loss[1]) / 15;
      assertThat(result.tokens()).isEqualTo(15);
      assertThat(result.sequences()).isEqualTo(2);
      assertThat(result.loss()).isCloseTo(mean, CLOSE);
      assertThat(result.perplexity()).isCloseTo(Math.exp(mean), Offset.offset(1e-2));
      assertThat(result.tokenAccuracy()).isCloseTo(right / 15, CLOSE);
      double error = Math.sqrt(2 * (square(loss[0] - 10 * mean) + square(loss[1] - 5 * mean))) / 15;
      assertThat(result.lossStandardError()).isCloseTo(error, CLOSE);
    }
  }

  @Test
  void aLongSequenceIsReadInWindowsThatPredictEveryTokenOnce() {
    int[] ids = random(70);
    Perplexity perplexity = new Perplexity(engine, golden.parameters(), 64);
    perplexity.add(ids);
    Perplexity.Result result = perplexity.result();
    List<Score> windows =
        loglikelihood(1000)
            .score(
                List.of(
                    request(ids, 0, 1, 33), request(ids, 32, 33, 65), request(ids, 64, 65, 70)));
    double sum = windows.stream().mapToDouble(Score::logProbability).sum();
    assertThat(result.tokens()).isEqualTo(69);
    assertThat(result.loss()).isCloseTo(-sum / 69, CLOSE);
    assertThat(result.lossStandardError()).isZero();
  }

  @Test
  void sequencesWithNothingToPredictAreRefused() {
    Perplexity perplexity = new Perplexity(engine, golden.parameters(), 64);
    assertThatThrownBy(() -> perplexity.add(new int[] {1}))
        .hasMessage(
            "perplexity: got a sequence of 1 tokens, wanted at least 2: one given, one predicted");
    assertThatThrownBy(perplexity::result)
        .hasMessage("perplexity: got no sequences, wanted at least one");
  }

  @Test
  void multipleChoiceTakesTheMostProbableContinuationRawAndPerLength() {
    int[] context = Arrays.copyOf(first, 4);
    int[] likely = {golden.greedy(3)};
    int[] unlikely = {leastProbable(3)};
    int[] longer = {likely[0], first[5], first[6]};
    MultipleChoice choice = new MultipleChoice(loglikelihood(100));
    MultipleChoice.Result result =
        choice.evaluate(
            List.of(
                item(context, 0, likely, unlikely),
                item(context, 1, likely, unlikely),
                item(context, 1, unlikely, likely, longer),
                new MultipleChoice.Item(
                    context, List.of(likely, longer), new double[] {1, 1000}, 1)));
    assertThat(result.verdicts())
        .extracting(MultipleChoice.Verdict::chosen)
        .containsExactly(0, 0, 1, 0);
    assertThat(result.verdicts()).extracting(MultipleChoice.Verdict::chosenNormalized).endsWith(1);
    assertThat(result.items()).isEqualTo(4);
    assertThat(result.accuracy().value()).isEqualTo(.5);
    assertThat(result.accuracy().standardError()).isCloseTo(Math.sqrt(.25 / 3), CLOSE);
    assertThat(result.normalizedAccuracy().value()).isEqualTo(.75);
    assertThat(result.chance()).isCloseTo((.5 + .5 + 1 / 3. + .5) / 4, CLOSE);
    assertThat(result.verdicts().get(0).scores().get(0).logProbability())
        .isCloseTo(golden.logProbability(3, likely[0]), CLOSE);
  }

  @Test
  void theFirstOfEquallyProbableContinuationsIsChosen() {
    List<Score> scores =
        List.of(new Score(-3, false, 1, 0), new Score(-2, false, 1, 0), new Score(-2, false, 1, 0));
    MultipleChoice.Verdict verdict =
        MultipleChoice.verdict(item(first, 0, first, first, first), scores);
    assertThat(verdict.chosen()).isEqualTo(1);
    assertThat(verdict.chosenNormalized()).isEqualTo(1);
  }

  @Test
  void incompleteItemsAreRefused() {
    assertThatThrownBy(() -> item(first, 2, first, second))
        .hasMessage(
            "multiple-choice item: got 2 continuations, 2 lengths and answer 2; wanted at least 2,"
                + " one length each, and an answer among them");
    assertThatThrownBy(
            () -> new MultipleChoice.Item(first, List.of(first, second), new double[] {1, 0}, 0))
        .hasMessage("multiple-choice item: got a continuation of length 0.0, wanted above 0");
    assertThatThrownBy(() -> new MultipleChoice(loglikelihood(9)).evaluate(List.of()))
        .hasMessage("multiple choice: got no items, wanted at least one");
  }

  private static MultipleChoice.Item item(int[] context, int answer, int[]... continuations) {
    double[] lengths = Arrays.stream(continuations).mapToDouble(c -> c.length).toArray();
    return new MultipleChoice.Item(context, List.of(continuations), lengths, answer);
  }

  private Loglikelihood loglikelihood(int batchTokens) {
    return new Loglikelihood(engine, golden.parameters(), batchTokens);
  }

  private int[] random(int length) {
    return new Random(length).ints(length, 0, golden.config().vocabSize()).toArray();
  }

  private static Request request(int[] ids, int from, int split, int to) {
    return new Request(Arrays.copyOfRange(ids, from, split), Arrays.copyOfRange(ids, split, to));
  }

  private void assertScore(Score score, int row, int[] ids, int from, int to) {
    assertThat(score.logProbability()).isCloseTo(expected(row, ids, from, to), CLOSE);
    assertThat(score.tokens()).isEqualTo(to - from);
    assertThat(score.cutContext()).isZero();
  }

  /** Sum of the golden log-probabilities of {@code ids[from, to)}. */
  private double expected(int row, int[] ids, int from, int to) {
    double sum = 0;
    for (int t = from; t < to; t++) {
      sum += golden.logProbability(row + t - 1, ids[t]);
    }
    return sum;
  }

  private double rightTokens(int row, int[] ids, int to) {
    double right = 0;
    for (int t = 1; t < to; t++) {
      right += golden.greedy(row + t - 1) == ids[t] ? 1 : 0;
    }
    return right;
  }

  private int leastProbable(int p) {
    int worst = 0;
    for (int id = 1; id < golden.config().vocabSize(); id++) {
      worst = golden.logProbability(p, id) < golden.logProbability(p, worst) ? id : worst;
    }
    return worst;
  }

  private static double square(double x) {
    return x * x;
  }
}
