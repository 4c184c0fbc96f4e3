package caravan.model;

import caravan.model.engine.WeightType;
import java.io.Serializable;

/**
 * Adapters beside a base that stays as it is.
 *
 * @param lora which adapters
 * @param base path of the base's checkpoint, which every executor can read
 * @param baseWeights how the base's matrices lie in memory while adapters are trained
 */
public record Adaptation(LoraConfig lora, String base, WeightType baseWeights)
    implements Serializable {
  /** Beside a base of floats. */
  public Adaptation(LoraConfig lora, String base) {
    this(lora, base, WeightType.F32);
  }

  public Adaptation withBaseWeights(WeightType type) {
    return new Adaptation(lora, base, type);
  }
}
