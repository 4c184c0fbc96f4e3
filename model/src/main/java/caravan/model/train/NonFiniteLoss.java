package caravan.model.train;

import java.util.List;

/** A training whose loss is no longer a number. */
public final class NonFiniteLoss extends IllegalStateException {
  private static final long serialVersionUID = 1;

  private final transient List<Long> sequences;

  /**
   * @param sequences that the step read whose loss it was
   */
  NonFiniteLoss(String message, List<Long> sequences) {
    super(message);
    this.sequences = List.copyOf(sequences);
  }

  /** Numbers of the training sequences that the step read. */
  public List<Long> sequences() {
    return sequences;
  }
}
