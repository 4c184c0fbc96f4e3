package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Gives a trained model rows for token ids that it has not seen: in the embedding, and in the
 * output head where that is a matrix of its own. Every other parameter, and every old row, stays
 * bit for bit.
 *
 * @param rows what a new row is made of
 * @param covarianceScale of {@link Rows#STATISTICS}: what the old rows' covariance is multiplied
 *     by, 0 to 1
 * @param seed of the rows that are drawn
 */
public record VocabularyGrowth(Rows rows, double covarianceScale, long seed) {

  /** What a new row is made of. */
  public enum Rows {
    /** The mean of the rows of the old ids that the new one stands for. */
    MEAN,

    /**
     * A draw from the normal distribution with the old rows' mean and covariance (Hewitt 2021,
     * "Initializing new word embeddings for pretrained language models"; with a small scale it is
     * transformers' {@code mean_resizing}).
     */
    STATISTICS,

    /** N(0, 0.02), as in a fresh model: for comparison. */
    RANDOM;

    @JsonValue
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** As in a fresh model. */
  private static final double DEVIATION = 0.02;

  public VocabularyGrowth {
    if (!(covarianceScale >= 0 && covarianceScale <= 1)) {
      throw new IllegalArgumentException(
          "grow.covariance-scale: got " + covarianceScale + ", wanted 0 to 1");
    }
  }

  /**
   * The model with more ids, without training state. It owns its parameters; the base keeps its.
   *
   * @param known ids that the base's vocabulary has: rows beyond them are padding and make room
   * @param oldIds of each new id, from {@code known} on: the old ids that it stands for
   * @param tokenizerFiles of the larger vocabulary
   * @throws IllegalArgumentException if the model has fewer rows than its vocabulary has ids, or a
   *     new id stands for none, or for one that is not known
   */
  public Checkpoint grow(
      Checkpoint base, int known, int[][] oldIds, Map<String, byte[]> tokenizerFiles) {
    LlamaConfig config = base.config();
    check(config, known, oldIds);
    LlamaConfig grown = config.withVocabSize(Math.max(config.vocabSize(), known + oldIds.length));
    ParameterLayout from = new ParameterLayout(config);
    ParameterLayout to = new ParameterLayout(grown);
    FloatPointer parameters = new FloatPointer(to.length());
    try {
      for (int i = 0; i < from.tensors().size(); i++) {
        Tensor tensor = from.tensors().get(i);
        Floats.copy(
            base.parameters(),
            tensor.offset(),
            parameters,
            to.tensors().get(i).offset(),
            tensor.length());
      }
      addRows(parameters, to.embedding(), known, oldIds, new SplittableRandom(seed));
      if (!grown.tiedEmbeddings()) {
        addRows(parameters, to.head(), known, oldIds, new SplittableRandom(~seed));
      }
      return Checkpoint.ofModel(grown, base.specialTokens(), parameters, tokenizerFiles);
    } catch (RuntimeException e) {
      parameters.close();
      throw e;
    }
  }

  private static void check(LlamaConfig config, int known, int[][] oldIds) {
    if (known > config.vocabSize()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "the model has embeddings for %,d ids, its vocabulary has %,d; give the model's own"
                  + " tokenizer",
              config.vocabSize(),
              known));
    }
    for (int i = 0; i < oldIds.length; i++) {
      boolean usable = oldIds[i].length > 0;
      for (int id : oldIds[i]) usable &= id >= 0 && id < known;
      if (!usable) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "new id %,d stands for the old ids %s, wanted some below %,d",
                known + i,
                Arrays.toString(oldIds[i]),
                known));
      }
    }
  }

  private void addRows(
      FloatPointer parameters, Tensor matrix, int known, int[][] oldIds, RandomGenerator random) {
    int width = matrix.cols();
    RowStatistics statistics =
        rows == Rows.STATISTICS
            ? RowStatistics.of(parameters, matrix.offset(), known, width)
            : null;
    for (int i = 0; i < oldIds.length; i++) {
      float[] row =
          switch (rows) {
            case MEAN -> mean(parameters, matrix, oldIds[i]);
            case STATISTICS -> statistics.draw(covarianceScale, random);
            case RANDOM -> random(width, random);
          };
      Floats.put(parameters, matrix.offset() + (long) (known + i) * width, row, 0, width);
    }
  }

  private static float[] mean(FloatPointer parameters, Tensor matrix, int[] ids) {
    int width = matrix.cols();
    float[] row = new float[width];
    double[] sum = new double[width];
    for (int id : ids) {
      Floats.get(parameters, matrix.offset() + (long) id * width, row, width);
      for (int d = 0; d < width; d++) sum[d] += row[d];
    }
    for (int d = 0; d < width; d++) row[d] = (float) (sum[d] / ids.length);
    return row;
  }

  private static float[] random(int width, RandomGenerator random) {
    float[] row = new float[width];
    for (int d = 0; d < width; d++) row[d] = (float) (DEVIATION * random.nextGaussian());
    return row;
  }
}
