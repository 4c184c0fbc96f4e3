package caravan.jobs;

import java.util.Optional;

/**
 * Of the keys under {@code lora}, what reading a checkpoint of adapters takes.
 *
 * @param base the model that they stand beside, where it lies elsewhere than they say
 */
record AdapterBase(Optional<String> base) {
  /** Where the adapters say. */
  static final AdapterBase NAMED = new AdapterBase(Optional.empty());
}
