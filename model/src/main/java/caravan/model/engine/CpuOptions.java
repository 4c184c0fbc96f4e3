package caravan.model.engine;

/**
 * How {@link CpuEngine} computes a training step; scores and decoding are not affected.
 *
 * @param inHalves whether matrix products are those of numbers rounded to bf16, with sums in fp32;
 *     parameters, their gradient and everything else stay fp32 (Micikevicius et al. 2018, arXiv
 *     1710.03740)
 * @param recomputesBlocks whether a block's results are computed again for the backward pass from
 *     its input, which alone is kept (Chen et al. 2016, arXiv 1604.06174): a third more work, and
 *     the gradient is the same bit for bit
 */
public record CpuOptions(boolean inHalves, boolean recomputesBlocks) {
  /** Everything in fp32, and kept. */
  public static final CpuOptions EXACT = new CpuOptions(false, false);

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
