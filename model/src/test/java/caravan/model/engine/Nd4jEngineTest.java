package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

class Nd4jEngineTest {

  @ParameterizedTest(name = "{0} query heads, {1} key heads, tied {2}")
  @CsvSource({"2, 2, true", "4, 2, false", "2, 1, true"})
  void gradient_in_double_equals_finite_differences(int heads, int kvHeads, boolean tied) {
    LlamaConfig config = new LlamaConfig(10, 6, 2, heads, kvHeads, 4, 7, 8, 10_000, 1e-5, tied);
    Nd4jEngine engine = new Nd4jEngine(config, DataType.DOUBLE);
    INDArray parameters = Examples.parameters(config, DataType.DOUBLE, 3);
    TokenBatch batch = Examples.batch(config, 2, 4, 4);
    INDArray gradient = parameters.ulike();
    engine.lossAndGradient(parameters, gradient, batch);
    INDArray scratch = parameters.ulike();
    double step = 1e-5;
    for (ParameterLayout.Tensor tensor : new ParameterLayout(config).tensors()) {
      for (long i = 0; i < tensor.length(); i += Math.max(1, tensor.length() / 5)) {
        long at = tensor.offset() + i;
        double original = parameters.getDouble(at);
        parameters.putScalar(at, original + step);
        double above = engine.lossAndGradient(parameters, scratch, batch);
        parameters.putScalar(at, original - step);
        double below = engine.lossAndGradient(parameters, scratch, batch);
        parameters.putScalar(at, original);
        double slope = (above - below) / (2 * step);
        assertThat(gradient.getDouble(at))
            .as("%s[%d]", tensor.name(), i)
            .isCloseTo(slope, within(1e-8 + 1e-6 * Math.abs(slope)));
      }
    }
  }

  @Test
  void untrained_model_without_weights_guesses_uniformly() {
    LlamaConfig config = Examples.config(2, 1, 8, false);
    INDArray zeros = Nd4j.zeros(DataType.DOUBLE, new ParameterLayout(config).length());
    double loss =
        new Nd4jEngine(config, DataType.DOUBLE)
            .lossAndGradient(zeros, zeros.ulike(), Examples.batch(config, 1, 9, 5));
    assertThat(loss).isCloseTo(Math.log(config.vocabSize()), within(1e-12));
  }
}
