package caravan.model.engine;

/**
 * How {@link CpuEngine} computes a training step; scores and decoding are not affected.
 *
 * @param inHalves whether matrix products are those of numbers rounded to bf16, with sums in fp32;
 *     parameters, their gradient and everything else stay fp32 (Micikevicius et al. 2018, arXiv
 *     1710.03740)
 */
public record CpuOptions(boolean inHalves) {
  public static final CpuOptions EXACT = new CpuOptions(false);

  /**
   * @throws IllegalStateException when bf16 is wanted where oneDNN cannot be used
   */
  public CpuOptions {
    if (inHalves && !OneDnn.isUsable()) {
      throw new IllegalStateException(
          "train.precision: got bf16, which needs oneDNN, and that cannot be used here; see the"
              + " warning, or set train.precision=fp32");
    }
  }
}
