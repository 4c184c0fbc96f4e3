package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.checkpoint.VocabularyGrowth.Rows;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;

class VocabularyGrowthTest {
  private static final int[][] OLD_IDS = {{3}, {4, 5, 6}, {16, 0}};

  private static Checkpoint base(LlamaConfig config) {
    return Checkpoint.ofModel(
        config, SpecialTokens.of(1, 2), TinyLlama.random(config, 3), Map.of());
  }

  private static Checkpoint grown(LlamaConfig config, Rows rows, int known, int[][] oldIds) {
    try (Checkpoint base = base(config)) {
      return new VocabularyGrowth(rows, 1e-5, 42)
          .grow(base, known, oldIds, Map.of("tokenizer.model", new byte[] {1}));
    }
  }

  private static float[] row(Checkpoint model, Tensor matrix, int id) {
    float[] row = new float[matrix.cols()];
    Floats.get(model.parameters(), matrix.offset() + (long) id * matrix.cols(), row, row.length);
    return row;
  }

  @Test
  void everythingOldStaysBitForBit() {
    for (LlamaConfig config : List.of(TinyLlama.TIED, TinyLlama.UNTIED)) {
      for (Rows rows : Rows.values()) {
        try (Checkpoint base = base(config);
            Checkpoint grown = grown(config, rows, 17, OLD_IDS)) {
          assertThat(grown.config()).isEqualTo(config.withVocabSize(20));
          assertThat(grown.specialTokens()).isEqualTo(base.specialTokens());
          assertThat(grown.tokenizerFiles()).containsOnlyKeys("tokenizer.model");
          List<Tensor> from = new ParameterLayout(config).tensors();
          List<Tensor> to = new ParameterLayout(grown.config()).tensors();
          for (int i = 0; i < from.size(); i++) {
            assertThat(
                    Floats.equal(
                        base.parameters(),
                        from.get(i).offset(),
                        grown.parameters(),
                        to.get(i).offset(),
                        from.get(i).length()))
                .as(from.get(i).name())
                .isTrue();
          }
        }
      }
    }
  }

  @Test
  void aNewRowIsTheMeanOfTheRowsOfTheIdsItStandsFor() {
    try (Checkpoint grown = grown(TinyLlama.UNTIED, Rows.MEAN, 17, OLD_IDS)) {
      ParameterLayout layout = new ParameterLayout(grown.config());
      for (Tensor matrix : List.of(layout.embedding(), layout.head())) {
        assertThat(row(grown, matrix, 17)).isEqualTo(row(grown, matrix, 3));
        float[] mean = row(grown, matrix, 18);
        for (int d = 0; d < mean.length; d++) {
          double sum = 0;
          for (int id : OLD_IDS[1]) sum += row(grown, matrix, id)[d];
          assertThat((double) mean[d]).isCloseTo(sum / 3, within(1e-6));
        }
      }
      assertThat(row(grown, layout.embedding(), 19)).isNotEqualTo(row(grown, layout.head(), 19));
    }
  }

  @Test
  void rowsBeyondTheVocabularyArePaddingAndMakeRoom() {
    try (Checkpoint base = base(TinyLlama.TIED);
        Checkpoint grown = grown(TinyLlama.TIED, Rows.MEAN, 14, new int[][] {{3}, {4}})) {
      assertThat(grown.config().vocabSize()).isEqualTo(17);
      Tensor embedding = new ParameterLayout(grown.config()).embedding();
      assertThat(row(grown, embedding, 14)).isEqualTo(row(base, embedding, 3));
      assertThat(row(grown, embedding, 15)).isEqualTo(row(base, embedding, 4));
      assertThat(row(grown, embedding, 16)).isEqualTo(row(base, embedding, 16));
    }
  }

  @Test
  void drawnRowsHaveTheMeanAndCovarianceOfTheOld() {
    int rows = 4000;
    int width = 3;
    float[] old = new float[rows * width];
    java.util.Random random = new java.util.Random(5);
    for (int r = 0; r < rows; r++) {
      double common = random.nextGaussian();
      old[r * width] = (float) (1 + 2 * common);
      old[r * width + 1] = (float) (-3 + common + 0.5 * random.nextGaussian());
      old[r * width + 2] = 7; // no variance: a semidefinite covariance
    }
    RowStatistics statistics;
    try (FloatPointer buffer = new FloatPointer(old)) {
      statistics = RowStatistics.of(buffer, 0, rows, width);
    }
    java.util.SplittableRandom draws = new java.util.SplittableRandom(6);
    int count = 40_000;
    double[] mean = new double[width];
    double variance = 0;
    double covariance = 0;
    for (int i = 0; i < count; i++) {
      float[] row = statistics.draw(0.25, draws);
      for (int d = 0; d < width; d++) mean[d] += row[d] / count;
      variance += Math.pow(row[0] - statistics.mean()[0], 2) / count;
      covariance += (row[0] - statistics.mean()[0]) * (row[1] - statistics.mean()[1]) / count;
      assertThat(row[2]).isEqualTo(7);
    }
    assertThat(mean[0]).isCloseTo(1, within(0.15));
    assertThat(mean[1]).isCloseTo(-3, within(0.1));
    assertThat(variance).isCloseTo(0.25 * 4, within(0.06));
    assertThat(covariance).isCloseTo(0.25 * 2, within(0.04));
  }

  @Test
  void drawnRowsFollowFromTheSeed() {
    for (Rows rows : List.of(Rows.STATISTICS, Rows.RANDOM)) {
      try (Checkpoint one = grown(TinyLlama.TIED, rows, 17, OLD_IDS);
          Checkpoint two = grown(TinyLlama.TIED, rows, 17, OLD_IDS)) {
        assertThat(TinyLlama.floats(one.parameters(), one.config()))
            .isEqualTo(TinyLlama.floats(two.parameters(), two.config()));
        Tensor embedding = new ParameterLayout(one.config()).embedding();
        assertThat(Arrays.equals(row(one, embedding, 17), row(one, embedding, 18))).isFalse();
      }
    }
  }

  @Test
  void idsThatTheBaseLacksAreRefused() {
    assertThatThrownBy(() -> grown(TinyLlama.TIED, Rows.MEAN, 17, new int[][] {{3}, {17}}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("new id 18 stands for the old ids [17], wanted some below 17");
    assertThatThrownBy(() -> grown(TinyLlama.TIED, Rows.MEAN, 18, OLD_IDS))
        .hasMessage(
            "the model has embeddings for 17 ids, its vocabulary has 18; give the model's own"
                + " tokenizer");
    assertThatThrownBy(() -> new VocabularyGrowth(Rows.MEAN, 2, 1))
        .hasMessage("grow.covariance-scale: got 2.0, wanted 0 to 1");
  }
}
