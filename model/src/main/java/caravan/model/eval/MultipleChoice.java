package caravan.model.eval;

import caravan.model.eval.Loglikelihood.Request;
import caravan.model.eval.Loglikelihood.Score;
import java.util.ArrayList;
import java.util.List;

/**
 * Questions answered by the continuation that the model finds most probable: by summed
 * log-probability, and by the same divided by each continuation's length (lm-evaluation-harness's
 * {@code acc} and {@code acc_norm}). The first of equals wins.
 */
public final class MultipleChoice {

  /**
   * @param lengths what each continuation's log-probability is divided by, such as characters
   * @param answer index of the right continuation
   */
  public record Item(int[] context, List<int[]> continuations, double[] lengths, int answer) {
    public Item {
      int choices = continuations.size();
      if (choices < 2 || lengths.length != choices || answer < 0 || answer >= choices) {
        throw new IllegalArgumentException(
            "multiple-choice item: got "
                + choices
                + " continuations, "
                + lengths.length
                + " lengths and answer "
                + answer
                + "; wanted at least 2, one length each, and an answer among them");
      }
      for (double length : lengths) {
        if (!(length > 0)) {
          throw new IllegalArgumentException(
              "multiple-choice item: got a continuation of length " + length + ", wanted above 0");
        }
      }
    }
  }

  /**
   * @param chosen index by summed log-probability
   * @param chosenNormalized index by log-probability per length
   */
  public record Verdict(int chosen, int chosenNormalized, List<Score> scores) {}

  /**
   * A share of items with its uncertainty.
   *
   * @param standardError of the mean, from the sample's variance; 0 for a single item
   */
  public record Accuracy(double value, double standardError) {
    static Accuracy of(int right, int items) {
      double p = (double) right / items;
      return new Accuracy(p, items < 2 ? 0 : Math.sqrt(p * (1 - p) / (items - 1)));
    }
  }

  /**
   * @param chance expected accuracy of guessing
   * @param verdicts one per item, in their order
   */
  public record Result(
      int items,
      Accuracy accuracy,
      Accuracy normalizedAccuracy,
      double chance,
      List<Verdict> verdicts) {}

  private final Loglikelihood loglikelihood;

  public MultipleChoice(Loglikelihood loglikelihood) {
    this.loglikelihood = loglikelihood;
  }

  /**
   * @throws IllegalArgumentException when there are no items
   */
  public Result evaluate(List<Item> items) {
    if (items.isEmpty()) {
      throw new IllegalArgumentException("multiple choice: got no items, wanted at least one");
    }
    var requests = new ArrayList<Request>();
    for (Item item : items) {
      item.continuations().forEach(c -> requests.add(new Request(item.context(), c)));
    }
    List<Score> scores = loglikelihood.score(requests);
    var verdicts = new ArrayList<Verdict>();
    int right = 0;
    int rightNormalized = 0;
    int next = 0;
    double chance = 0;
    for (Item item : items) {
      int choices = item.continuations().size();
      Verdict verdict = verdict(item, List.copyOf(scores.subList(next, next + choices)));
      next += choices;
      right += verdict.chosen == item.answer() ? 1 : 0;
      rightNormalized += verdict.chosenNormalized == item.answer() ? 1 : 0;
      chance += 1.0 / choices;
      verdicts.add(verdict);
    }
    int n = items.size();
    return new Result(
        n, Accuracy.of(right, n), Accuracy.of(rightNormalized, n), chance / n, verdicts);
  }

  static Verdict verdict(Item item, List<Score> scores) {
    int chosen = 0;
    int normalized = 0;
    for (int i = 1; i < scores.size(); i++) {
      if (scores.get(i).logProbability() > scores.get(chosen).logProbability()) {
        chosen = i;
      }
      if (scores.get(i).logProbability() / item.lengths()[i]
          > scores.get(normalized).logProbability() / item.lengths()[normalized]) {
        normalized = i;
      }
    }
    return new Verdict(chosen, normalized, scores);
  }
}
