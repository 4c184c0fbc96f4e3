package caravan.model.engine;

/**
 * Dropout by counter (as Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
 * whether a value is zeroed depends on its row's key and its column alone, so that nothing is
 * stored, a pass that is run again zeroes the same values, and neither threads nor the order of
 * work play a part. Kept values are divided by 1 − rate (Srivastava et al., JMLR 2014).
 *
 * <pre>
 * h = column + low(key);   h = (h ⊕ h≫16) · A ⊕ high(key);   h = (h ⊕ h≫15) · B;   h ⊕= h≫16
 * zeroed when the upper 24 bits of h are below rate · 2^24
 * </pre>
 *
 * <p>A and B are those of Wellons' lowbias32.
 */
final class DropoutMask {
  static final int A = 0x7feb352d;
  static final int B = 0x846ca68b;
  static final int BITS = 24;

  private DropoutMask() {}

  /** What one value is multiplied by: 0 or 1 / (1 − rate). */
  static float factor(long rowKey, int column, double rate) {
    return hash(column + (int) rowKey, (int) (rowKey >>> 32)) >>> 32 - BITS
            < DropoutKeys.threshold(rate)
        ? 0
        : DropoutKeys.scale(rate);
  }

  private static int hash(int low, int high) {
    int h = (low ^ low >>> 16) * A ^ high;
    h = (h ^ h >>> 15) * B;
    return h ^ h >>> 16;
  }
}
