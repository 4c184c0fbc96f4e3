package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Some tokens in every type of weights, as a program: the machine it runs on is the JVM's options.
 */
final class DecodingElsewhere {
  private static final LlamaConfig MODEL =
      new LlamaConfig(67, 99, 2, 4, 2, 48, 61, 24, 10_000, 1e-5, true);

  private DecodingElsewhere() {}

  public static void main(String[] args) {
    System.out.println("logits " + logits());
  }

  static String logits() {
    ParameterLayout layout = new ParameterLayout(MODEL);
    Random random = new Random(3);
    float[] values = new float[(int) layout.length()];
    for (ParameterLayout.Tensor tensor : layout.tensors()) {
      for (int i = 0; i < tensor.length(); i++) {
        values[(int) tensor.offset() + i] =
            tensor.isNorm() ? 1 : (float) (random.nextGaussian() / Math.sqrt(tensor.cols()));
      }
    }
    StringBuilder text = new StringBuilder();
    for (WeightType type : WeightType.values()) {
      try (FloatPointer parameters = new FloatPointer(values);
          CpuEngine engine = new CpuEngine(MODEL, 2, type);
          LlamaEngine.Decoder decoder = engine.decoder(parameters, 24)) {
        float[] logits = null;
        for (int id : new int[] {1, 5, 60, 7}) {
          logits = decoder.append(id);
        }
        for (float logit : logits) {
          text.append(logit).append(' ');
        }
      }
    }
    return text.toString().strip();
  }
}
