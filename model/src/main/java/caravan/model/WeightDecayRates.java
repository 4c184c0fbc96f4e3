package caravan.model;

import caravan.model.ParameterLayout.Tensor;
import java.io.Serializable;

/**
 * Decoupled decay by group of tensors: each step takes learning rate × rate of every weight away
 * (Loshchilov and Hutter, arXiv 1711.05101).
 *
 * @param matrices of projections, and of the output matrix where it is not the embedding
 * @param embeddings of the token embedding
 * @param norms of the gains of norms
 */
public record WeightDecayRates(double matrices, double embeddings, double norms)
    implements Serializable {
  public static final WeightDecayRates NONE = new WeightDecayRates(0, 0, 0);

  /** All matrices, the embedding among them. */
  public static WeightDecayRates ofMatrices(double rate) {
    return new WeightDecayRates(rate, rate, 0);
  }

  public double of(Tensor tensor) {
    if (tensor.isNorm()) {
      return norms;
    }
    return tensor.name().equals("embedding") ? embeddings : matrices;
  }
}
