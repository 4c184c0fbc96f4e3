package caravan.model.engine;

import java.io.Serializable;

/**
 * What training optimizes: the mean over the target tokens of
 *
 * <pre>
 * (1 − ε) · (log Z − logit[target]) + ε / V · Σ_v (log Z − logit[v]) + c · (log Z)²
 * </pre>
 *
 * <p>with Z = Σ exp(logits) and V the vocabulary's size, on a model some of whose values dropout
 * zeroes: label smoothing ε as in Szegedy et al. (arXiv 1512.00567) and PyTorch, z-loss c as in
 * PaLM (arXiv 2204.02311, section 5), dropout of the token embeddings and of what attention and
 * feed-forward add to the residual stream, as in GPT-2 and llama2.c (but not of attention's
 * probabilities). Scores are plain cross entropy of the whole model.
 *
 * @param zLoss c, at least 0
 * @param labelSmoothing ε, in [0, 1)
 * @param embeddingDropout share of values, in [0, 1)
 * @param residualDropout likewise
 * @param seed of the values that are zeroed
 */
public record Objective(
    double zLoss, double labelSmoothing, double embeddingDropout, double residualDropout, long seed)
    implements Serializable {
  /** Cross entropy of the whole model. */
  public static final Objective PLAIN = new Objective(0, 0, 0, 0, 0);

  /** Whether something is added to cross entropy. */
  public boolean penalizes() {
    return zLoss > 0 || labelSmoothing > 0;
  }

  public boolean drops() {
    return embeddingDropout > 0 || residualDropout > 0;
  }
}
