package caravan.model.engine;

import caravan.model.LlamaConfig;
import java.util.List;

/**
 * Products of float or bf16 matrices with packed weights: panels of rows become floats, or bf16
 * where the other factor is, small enough to be read again from the processor's cache. Where both
 * are bf16 already, weights are read where they lie. One object per thread.
 */
final class PackedProducts implements AutoCloseable {
  /** Half a megabyte, if rows are short enough. */
  private static final int PANEL_FLOATS = 1 << 17;

  /** Fewer rows than this make slow products, more gain nothing. */
  private static final int FEWEST_ROWS = 32;

  private static final int MOST_ROWS = 512;

  private final Gemm gemm;
  private Buffer panel;

  PackedProducts(Gemm gemm) {
    this.gemm = gemm;
  }

  private static int panelRows(int cols) {
    return Math.max(FEWEST_ROWS, Math.min(MOST_ROWS, PANEL_FLOATS / cols));
  }

  /**
   * Bytes of room for products with a model's matrices.
   *
   * @param type of the weights
   * @param inHalves whether the other factor is bf16
   */
  static long bytes(WeightType type, boolean inHalves, LlamaConfig config) {
    long floats = 0;
    for (int cols : List.of(config.hiddenSize(), config.queryDim(), config.intermediateSize())) {
      floats = Math.max(floats, (long) panelRows(cols) * cols);
    }
    if (type == WeightType.F32 || type == WeightType.BF16 && inHalves) {
      return 0;
    }
    return inHalves ? Buffer.bytesWithHalves(floats) : Buffer.bytesOf(floats);
  }

  long bytes() {
    return panel == null ? 0 : panel.bytes();
  }

  /** Room for a panel of this matrix. */
  private Buffer panel(int cols, boolean inHalves) {
    long floats = (long) panelRows(cols) * cols;
    if (panel == null || panel.length() < floats) {
      close();
      panel = inHalves ? Buffer.allocateWithHalves(floats) : Buffer.allocate(floats);
    }
    return panel;
  }

  private Buffer unpack(WeightMatrix w, int first, int rows, boolean inHalves) {
    Buffer floats = panel(w.cols(), inHalves);
    WeightRows.unpack(w, first, first + rows, floats.address(0));
    gemm.round(floats, 0, (long) rows * w.cols());
    return floats;
  }

  /** {@code rows} rows of y = x Wᵀ (+ y when {@code beta} is 1), from those elements on. */
  void timesTransposed(
      int rows, Buffer x, long xAt, WeightMatrix w, float beta, Buffer y, long yAt, int yStride) {
    int cols = w.cols();
    boolean inHalves = x.hasHalves();
    if (inHalves && w.type() == WeightType.BF16) {
      gemm.halves()
          .timesTransposed(
              rows,
              w.rows(),
              cols,
              x.halfAddress(xAt),
              cols,
              w.row(0),
              w.stride(),
              beta != 0,
              y.address(yAt),
              yStride);
      return;
    }
    int panelRows = panelRows(cols);
    for (int first = 0; first < w.rows(); first += panelRows) {
      int n = Math.min(panelRows, w.rows() - first);
      Buffer part = unpack(w, first, n, inHalves);
      long target = y.address(yAt + first);
      if (inHalves) {
        gemm.halves()
            .timesTransposed(
                rows,
                n,
                cols,
                x.halfAddress(xAt),
                cols,
                part.halfAddress(0),
                cols,
                beta != 0,
                target,
                yStride);
      } else {
        gemm.timesTransposed(
            rows, n, cols, 1f, x.address(xAt), cols, part.address(0), cols, beta, target, yStride);
      }
    }
  }

  /** {@code rows} rows of dx = dy W, from those elements on; panels add up. */
  void times(int rows, Buffer dy, long dyAt, int dyStride, WeightMatrix w, Buffer dx, long dxAt) {
    int cols = w.cols();
    boolean inHalves = dy.hasHalves();
    long target = dx.address(dxAt);
    if (inHalves && w.type() == WeightType.BF16) {
      gemm.halves()
          .times(
              rows,
              cols,
              w.rows(),
              dy.halfAddress(dyAt),
              dyStride,
              w.row(0),
              w.stride(),
              false,
              target,
              cols);
      return;
    }
    int panelRows = panelRows(cols);
    for (int first = 0; first < w.rows(); first += panelRows) {
      int n = Math.min(panelRows, w.rows() - first);
      Buffer part = unpack(w, first, n, inHalves);
      boolean adds = first > 0;
      if (inHalves) {
        gemm.halves()
            .times(
                rows,
                cols,
                n,
                dy.halfAddress(dyAt + first),
                dyStride,
                part.halfAddress(0),
                cols,
                adds,
                target,
                cols);
      } else {
        gemm.times(
            rows,
            cols,
            n,
            1f,
            dy.address(dyAt + first),
            dyStride,
            part.address(0),
            cols,
            adds ? 1f : 0f,
            target,
            cols);
      }
    }
  }

  @Override
  public void close() {
    if (panel != null) {
      panel.close();
      panel = null;
    }
  }
}
