package caravan.model.checkpoint;

import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Mean and covariance of a matrix's rows, to draw more rows like them.
 *
 * @param mean [width]
 * @param factor lower triangle L with L·Lᵀ = covariance [width, width]
 */
record RowStatistics(double[] mean, double[][] factor) {
  /** Variance, relative to the largest, below which a direction counts as constant. */
  private static final double NONE = 1e-12;

  /**
   * Statistics of {@code rows} rows of {@code width} floats, in time rows · width² and memory rows
   * · width floats.
   *
   * @param offset of the first row in the buffer, in floats
   */
  static RowStatistics of(FloatPointer buffer, long offset, int rows, int width) {
    float[][] columns = new float[width][rows];
    float[] row = new float[width];
    for (int r = 0; r < rows; r++) {
      Floats.get(buffer, offset + (long) r * width, row, width);
      for (int d = 0; d < width; d++) columns[d][r] = row[d];
    }
    double[] mean = new double[width];
    for (int d = 0; d < width; d++) {
      for (float value : columns[d]) mean[d] += value;
      mean[d] /= rows;
    }
    double[][] covariance = new double[width][];
    IntStream.range(0, width)
        .parallel()
        .forEach(i -> covariance[i] = covariances(columns, mean, i));
    return new RowStatistics(mean, cholesky(covariance));
  }

  private static double[] covariances(float[][] columns, double[] mean, int i) {
    double[] with = new double[i + 1];
    int rows = columns[i].length;
    for (int j = 0; j <= i; j++) {
      double sum = 0;
      for (int r = 0; r < rows; r++) sum += (columns[i][r] - mean[i]) * (columns[j][r] - mean[j]);
      with[j] = sum / rows;
    }
    return with;
  }

  /** In place, for positive semidefinite matrices: a direction without variance gets zeros. */
  private static double[][] cholesky(double[][] lower) {
    double largest = 0;
    for (int i = 0; i < lower.length; i++) largest = Math.max(largest, lower[i][i]);
    for (int i = 0; i < lower.length; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = lower[i][j];
        for (int k = 0; k < j; k++) sum -= lower[i][k] * lower[j][k];
        if (i == j) lower[i][i] = sum > NONE * largest ? Math.sqrt(sum) : 0;
        else lower[i][j] = lower[j][j] > 0 ? sum / lower[j][j] : 0;
      }
    }
    return lower;
  }

  /** A draw from N(mean, scale · covariance). */
  float[] draw(double scale, RandomGenerator random) {
    int width = mean.length;
    double[] z = new double[width];
    for (int d = 0; d < width; d++) z[d] = Math.sqrt(scale) * random.nextGaussian();
    float[] row = new float[width];
    for (int d = 0; d < width; d++) {
      double sum = mean[d];
      for (int k = 0; k <= d; k++) sum += factor[d][k] * z[k];
      row[d] = (float) sum;
    }
    return row;
  }
}
