package caravan.model.eval;

import caravan.model.engine.LlamaEngine;
import caravan.model.engine.LlamaEngine.TokenScores;
import caravan.model.engine.TokenBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Held-out loss over sequences of ids. A sequence's first id (BOS) is given; every later one is
 * predicted exactly once. Sequences longer than the model's context are read in windows, each
 * beginning with the last id of the one before: its later tokens see less context than in a longer
 * model.
 */
public final class Perplexity {

  /**
   * @param loss mean negative log-probability per predicted token, in nats
   * @param lossStandardError of the loss, sequences taken as the independent units; 0 for one
   * @param tokenAccuracy share of predicted tokens with the highest logit
   * @param tokenAccuracyStandardError likewise by sequences
   * @param tokens predicted
   */
  public record Result(
      double loss,
      double lossStandardError,
      double tokenAccuracy,
      double tokenAccuracyStandardError,
      long tokens,
      int sequences) {

    /** exp(loss). */
    public double perplexity() {
      return Math.exp(loss);
    }
  }

  private record Window(int sequence, int[] ids) {}

  private final LlamaEngine engine;
  private final FloatPointer parameters;
  private final int batchTokens;
  private final List<Window> waiting = new ArrayList<>();
  private int longestWaiting;
  private final List<double[]> sums = new ArrayList<>();

  /** Places in a sequence's sums. */
  private static final int LOSS = 0;

  private static final int RIGHT = 1;
  private static final int TOKENS = 2;

  /**
   * @param batchTokens most tokens scored at once, padding included
   */
  public Perplexity(LlamaEngine engine, FloatPointer parameters, int batchTokens) {
    if (batchTokens < 1) {
      throw new IllegalArgumentException(
          "batch tokens: got " + batchTokens + ", wanted at least 1");
    }
    this.engine = engine;
    this.parameters = parameters;
    this.batchTokens = batchTokens;
  }

  /**
   * Scores one sequence, at once or with those that follow.
   *
   * @throws IllegalArgumentException when it has fewer than two ids: nothing to predict
   */
  public void add(int[] ids) {
    if (ids.length < 2) {
      throw new IllegalArgumentException(
          "perplexity: got a sequence of "
              + ids.length
              + " tokens, wanted at least 2: one given, one predicted");
    }
    int sequence = sums.size();
    sums.add(new double[3]);
    int context = engine.config().contextLength();
    for (int from = 0; from < ids.length - 1; from += context) {
      int[] window = Arrays.copyOfRange(ids, from, Math.min(ids.length, from + context + 1));
      int longest = Math.max(longestWaiting, window.length - 1);
      if (!waiting.isEmpty() && (waiting.size() + 1) * longest > batchTokens) {
        scoreWaiting();
      }
      waiting.add(new Window(sequence, window));
      longestWaiting = Math.max(longestWaiting, window.length - 1);
    }
  }

  /**
   * @throws IllegalArgumentException when no sequence was added
   */
  public Result result() {
    if (sums.isEmpty()) {
      throw new IllegalArgumentException("perplexity: got no sequences, wanted at least one");
    }
    scoreWaiting();
    double loss = ratio(LOSS);
    double accuracy = ratio(RIGHT);
    return new Result(
        loss,
        standardError(LOSS, loss),
        accuracy,
        standardError(RIGHT, accuracy),
        (long) total(TOKENS),
        sums.size());
  }

  private void scoreWaiting() {
    if (waiting.isEmpty()) {
      return;
    }
    int seq = longestWaiting;
    int[] ids = new int[waiting.size() * seq];
    int[] targets = new int[ids.length];
    Arrays.fill(targets, TokenBatch.IGNORED);
    for (int r = 0; r < waiting.size(); r++) {
      int[] window = waiting.get(r).ids;
      System.arraycopy(window, 0, ids, r * seq, window.length - 1);
      System.arraycopy(window, 1, targets, r * seq, window.length - 1);
    }
    TokenScores scores =
        engine.score(parameters, new TokenBatch(ids, targets, waiting.size(), seq));
    for (int r = 0; r < waiting.size(); r++) {
      double[] sum = sums.get(waiting.get(r).sequence);
      int predicted = waiting.get(r).ids.length - 1;
      for (int p = r * seq; p < r * seq + predicted; p++) {
        sum[LOSS] -= scores.logProbability()[p];
        sum[RIGHT] += scores.greedy()[p] ? 1 : 0;
      }
      sum[TOKENS] += predicted;
    }
    waiting.clear();
    longestWaiting = 0;
  }

  private double total(int what) {
    return sums.stream().mapToDouble(sum -> sum[what]).sum();
  }

  private double ratio(int what) {
    return total(what) / total(TOKENS);
  }

  /** Of a ratio of two sums over sequences of unequal length (Cochran 1977, section 2.11). */
  private double standardError(int what, double ratio) {
    int n = sums.size();
    if (n < 2) {
      return 0;
    }
    double squares =
        sums.stream().mapToDouble(sum -> Math.pow(sum[what] - ratio * sum[TOKENS], 2)).sum();
    return Math.sqrt(squares * n / (n - 1)) / total(TOKENS);
  }
}
