package caravan.model.engine;

import caravan.model.LlamaConfig;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.FloatPointer;

/**
 * The arithmetic of a Llama over a flat parameter buffer laid out by {@link
 * caravan.model.ParameterLayout}. Implementations hold buffers sized by the largest batch seen and
 * are not thread-safe: one engine per training worker.
 */
public interface LlamaEngine extends AutoCloseable {

  LlamaConfig config();

  /**
   * Forward and backward.
   *
   * @param parameters [layout.length()] read only
   * @param gradient [layout.length()] overwritten with the gradient of the returned loss
   * @return mean cross entropy in nats over the batch's target tokens; 0 with a zero gradient when
   *     it has none
   * @throws IllegalArgumentException when an id is outside the vocabulary or the sequence longer
   *     than the context
   */
  default double lossAndGradient(FloatPointer parameters, FloatPointer gradient, TokenBatch batch) {
    TrainingPass plain = TrainingPass.whole(Objective.PLAIN, 0, batch);
    return lossAndGradient(parameters, gradient, batch, plain).crossEntropy();
  }

  /**
   * Forward and backward of a pass that may be a part of a step and may optimize more than cross
   * entropy.
   *
   * @param gradient [layout.length()] overwritten with the gradient of the returned objective, or
   *     added to
   */
  TrainingPass.Loss lossAndGradient(
      FloatPointer parameters, FloatPointer gradient, TokenBatch batch, TrainingPass pass);

  /** Scores of every target: what evaluation and validation need of a forward pass. */
  TokenScores score(FloatPointer parameters, TokenBatch batch);

  /**
   * Starts an incremental decoder with a key/value cache for up to {@code maxLength} tokens. Where
   * rotary angles depend on the sequence's length (dynamic scaling), that length is {@code
   * maxLength} from the first token on, so that cached keys and new queries agree.
   */
  Decoder decoder(FloatPointer parameters, int maxLength);

  /**
   * Appends {@code ids[i]} to the i-th sequence: what {@link Decoder#append} does for each, but
   * weights may be read once for all of them.
   *
   * @param sequences of this engine and of one model, each once
   * @return what each append returns
   * @throws IllegalArgumentException when they are not, or one of them is full
   */
  default float[][] appendToEach(List<? extends Decoder> sequences, int[] ids) {
    float[][] logits = new float[ids.length][];
    for (int i = 0; i < ids.length; i++) {
      logits[i] = sequences.get(i).append(ids[i]);
    }
    return logits;
  }

  /**
   * Opens training in the engine's own memory, where it has some; empty where the caller's memory
   * is what it works on.
   *
   * @param parameters [layout.length()] read now and written by {@link ResidentTraining#store}
   * @param state likewise, the optimizer's vectors one after the other, each as long as what the
   *     recipe moves; null where it has none
   */
  default Optional<ResidentTraining> train(
      FloatPointer parameters, FloatPointer state, ResidentTraining.Recipe recipe) {
    return Optional.empty();
  }

  /**
   * Promises that these parameters stay as they are until the result is closed, so that an engine
   * with its own memory copies them once and not for every batch.
   */
  default Kept keep(FloatPointer parameters) {
    return () -> {};
  }

  @Override
  void close();

  /**
   * @param logProbability [batch × seq] natural log-probability of each target; 0 where it is
   *     ignored
   * @param greedy [batch × seq] whether the target has the highest logit; false where it is ignored
   */
  record TokenScores(float[] logProbability, boolean[] greedy) {}

  /** A promise of {@link #keep}. */
  interface Kept extends AutoCloseable {
    @Override
    void close();
  }

  /** One sequence being continued. */
  interface Decoder extends AutoCloseable {
    /**
     * Appends tokens (a whole prompt, or the token just sampled).
     *
     * @return [vocabSize] logits after the last of them; the array is reused by the next call
     */
    float[] append(int... ids);

    /**
     * As {@link #append}, for greedy decoding: an engine on another device need not send logits.
     *
     * @return the id with the highest logit, the first of equal ones; -1 where a logit is not
     *     finite
     */
    default int best(int... ids) {
      float[] logits = append(ids);
      int best = 0;
      for (int id = 0; id < logits.length; id++) {
        if (!Float.isFinite(logits[id])) {
          return -1;
        }
        best = logits[id] > logits[best] ? id : best;
      }
      return best;
    }

    /** Tokens appended so far. */
    int length();

    @Override
    void close();
  }
}
