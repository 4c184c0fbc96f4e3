package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

class AdamWTest {
  private static final Schedule RATE = new Schedule(Schedule.Kind.LINEAR, 0.01, 0, 0, 10, 0);

  /** Odd, so that the vector loop leaves a tail, and longer than a chunk. */
  private static final int LENGTH = 16_384 + 37;

  @Test
  void equalsTheTextbookFormulaInDoublePrecision() {
    AdamW config = new AdamW(RATE, 0.9, 0.95, 1e-8, 1.5);
    var updater = config.instantiate(Nd4j.create(1, 2 * LENGTH), true);
    double[] m = new double[LENGTH];
    double[] v = new double[LENGTH];
    for (int step = 0; step < 5; step++) {
      float[] gradient = gradient(step);
      double norm = 0;
      for (float g : gradient) {
        norm += (double) g * g;
      }
      double scale = Math.min(1, 1.5 / Math.sqrt(norm));
      INDArray update = Nd4j.createFromArray(gradient);
      updater.applyUpdater(update, step, 0);
      assertThat(((AdamWUpdater) updater).gradientNorm()).isCloseTo(Math.sqrt(norm), within(1e-4));
      float[] got = update.data().asFloat();
      for (int i = 0; i < LENGTH; i++) {
        double g = gradient[i] * scale;
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.95 * v[i] + 0.05 * g * g;
        double first = m[i] / (1 - Math.pow(0.9, step + 1));
        double second = v[i] / (1 - Math.pow(0.95, step + 1));
        double wanted = RATE.valueAt(step, 0) * first / (Math.sqrt(second) + 1e-8);
        assertThat((double) got[i]).isCloseTo(wanted, within(2e-7));
      }
    }
  }

  @Test
  void gradientsWithinTheClipNormAreLeftAlone() {
    float[] gradient = gradient(1);
    INDArray clipped = Nd4j.createFromArray(gradient);
    INDArray free = Nd4j.createFromArray(gradient);
    new AdamW(RATE, 0.9, 0.95, 1e-8, 1e6)
        .instantiate(Nd4j.create(1, 2 * LENGTH), true)
        .applyUpdater(clipped, 0, 0);
    new AdamW(RATE, 0.9, 0.95, 1e-8, 0)
        .instantiate(Nd4j.create(1, 2 * LENGTH), true)
        .applyUpdater(free, 0, 0);
    assertThat(clipped.data().asFloat()).containsExactly(free.data().asFloat());
  }

  @Test
  void survivesTheGraphConfigurationsJson() {
    AdamW adam =
        new AdamW(new Schedule(Schedule.Kind.COSINE, 3e-4, 3e-5, 7, 70, 0), 0.9, 0.95, 1e-9, 1);
    ComputationGraphConfiguration conf =
        new NeuralNetConfiguration.Builder()
            .updater(adam)
            .graphBuilder()
            .addInputs("in")
            .addLayer("layer", new DenseLayer.Builder().nIn(2).nOut(2).build(), "in")
            .setOutputs("layer")
            .validateOutputLayerConfig(false)
            .build();
    assertThat(ComputationGraphConfiguration.fromJson(conf.toJson())).isEqualTo(conf);
    assertThat(ComputationGraphConfiguration.fromJson(conf.toJson()).toJson())
        .contains("3.0E-4")
        .contains("COSINE");
    assertThat(conf.clone()).isEqualTo(conf);
  }

  private static float[] gradient(int step) {
    float[] gradient = new float[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
      gradient[i] = (float) Math.sin(i * 0.7 + step) * (i % 5 == 0 ? 3 : 0.01f);
    }
    return gradient;
  }
}
