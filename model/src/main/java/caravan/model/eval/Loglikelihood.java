package caravan.model.eval;

import caravan.model.engine.LlamaEngine;
import caravan.model.engine.LlamaEngine.TokenScores;
import caravan.model.engine.TokenBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;

/**
 * How probable continuations are after their contexts, by the rules of lm-evaluation-harness: a
 * context that does not fit loses tokens at its start, the continuation never does.
 *
 * <p>Requests of similar length are scored together, padded at the end; causal attention keeps
 * padding from touching the scores.
 */
public final class Loglikelihood {

  /**
   * @param context at least one id; BOS where there is no other
   * @param continuation at least one id, the ones that are scored
   */
  public record Request(int[] context, int[] continuation) {}

  /**
   * @param logProbability natural logarithm, summed over the continuation
   * @param greedy whether each of its tokens has the highest logit
   * @param tokens length of the continuation
   * @param cutContext tokens taken from the context's start to fit
   */
  public record Score(double logProbability, boolean greedy, int tokens, int cutContext) {}

  private final LlamaEngine engine;
  private final FloatPointer parameters;
  private final int batchTokens;

  /**
   * @param batchTokens most tokens scored at once, padding included
   */
  public Loglikelihood(LlamaEngine engine, FloatPointer parameters, int batchTokens) {
    if (batchTokens < 1) {
      throw new IllegalArgumentException(
          "batch tokens: got " + batchTokens + ", wanted at least 1");
    }
    this.engine = engine;
    this.parameters = parameters;
    this.batchTokens = batchTokens;
  }

  /**
   * @return one score per request, in their order
   * @throws IllegalArgumentException when a context or continuation is empty, or a continuation
   *     longer than the model's context
   */
  public List<Score> score(List<Request> requests) {
    Row[] rows = new Row[requests.size()];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = row(i, requests.get(i));
    }
    Arrays.sort(rows, Comparator.comparingInt((Row row) -> row.inputs.length).reversed());
    Score[] scores = new Score[rows.length];
    for (int from = 0; from < rows.length; ) {
      int longest = rows[from].inputs.length;
      int to = Math.min(rows.length, from + Math.max(1, batchTokens / longest));
      score(List.of(rows).subList(from, to), longest, scores);
      from = to;
    }
    return new ArrayList<>(Arrays.asList(scores));
  }

  /**
   * One row of a batch.
   *
   * @param index the request's place
   * @param inputs context and continuation without its last id
   * @param continuation the targets of the last inputs
   */
  private record Row(int index, int[] inputs, int[] continuation, int cutContext) {}

  private Row row(int index, Request request) {
    int[] context = request.context();
    int[] continuation = request.continuation();
    int room = engine.config().contextLength();
    if (context.length == 0 || continuation.length == 0) {
      throw new IllegalArgumentException(
          "request "
              + index
              + ": "
              + (context.length == 0 ? "the context" : "the continuation")
              + " has no tokens, wanted at least one (BOS for an empty context)");
    }
    if (continuation.length > room) {
      throw new IllegalArgumentException(
          "request "
              + index
              + ": the continuation has "
              + continuation.length
              + " tokens, wanted at most the model's context of "
              + room);
    }
    int cut = Math.max(0, context.length + continuation.length - 1 - room);
    int kept = context.length - cut;
    int[] inputs = new int[kept + continuation.length - 1];
    System.arraycopy(context, cut, inputs, 0, kept);
    System.arraycopy(continuation, 0, inputs, kept, continuation.length - 1);
    return new Row(index, inputs, continuation, cut);
  }

  private void score(List<Row> rows, int seq, Score[] scores) {
    int[] ids = new int[rows.size() * seq];
    int[] targets = new int[ids.length];
    Arrays.fill(targets, TokenBatch.IGNORED);
    for (int r = 0; r < rows.size(); r++) {
      Row row = rows.get(r);
      System.arraycopy(row.inputs, 0, ids, r * seq, row.inputs.length);
      System.arraycopy(
          row.continuation, 0, targets, firstTarget(row, r, seq), row.continuation.length);
    }
    TokenScores result = engine.score(parameters, new TokenBatch(ids, targets, rows.size(), seq));
    for (int r = 0; r < rows.size(); r++) {
      Row row = rows.get(r);
      double sum = 0;
      boolean greedy = true;
      int first = firstTarget(row, r, seq);
      for (int p = first; p < first + row.continuation.length; p++) {
        sum += result.logProbability()[p];
        greedy &= result.greedy()[p];
      }
      scores[row.index] = new Score(sum, greedy, row.continuation.length, row.cutContext);
    }
  }

  private static int firstTarget(Row row, int r, int seq) {
    return r * seq + row.inputs.length - row.continuation.length;
  }
}
