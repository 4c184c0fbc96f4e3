package caravan.model.train;

import static caravan.model.train.Ranges.below;

import java.io.Serializable;

/**
 * Which share of values is zeroed while training, the others scaled up to the same mean.
 *
 * @param embedding of the token embeddings
 * @param residual of what attention and feed-forward add to the residual stream
 */
public record DropoutConfig(double embedding, double residual) implements Serializable {
  public static final DropoutConfig DEFAULT = new DropoutConfig(0, 0);

  public DropoutConfig {
    below("dropout.embedding", embedding);
    below("dropout.residual", residual);
  }
}
