package caravan.model.train;

import static caravan.model.train.Ranges.atLeast;

import java.io.Serializable;

/**
 * Which part of the weight decay a group of tensors gets; other matrices get all of it.
 *
 * @param embeddings the token embedding, which is the output matrix too where they are tied
 * @param norms the gains of norms
 */
public record DecayConfig(double embeddings, double norms) implements Serializable {
  public static final DecayConfig DEFAULT = new DecayConfig(1, 0);

  public DecayConfig {
    atLeast("decay.embeddings", embeddings, 0);
    atLeast("decay.norms", norms, 0);
  }
}
