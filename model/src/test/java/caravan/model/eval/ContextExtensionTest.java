package caravan.model.eval;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.LlamaOutput;
import caravan.model.RopeScaling;
import caravan.model.engine.CpuEngine;
import caravan.model.train.AdamW;
import caravan.model.train.Schedule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.MultiDataSet;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A small model trained on 32 bytes of a text at a time, read 128 at a time: what scaling its
 * rotary frequencies is for. Perplexity is that of the same held-out bytes throughout.
 */
class ContextExtensionTest {
  private static final int SHORT = 32;
  private static final int LONG = 128;
  private static final int FACTOR = LONG / SHORT;
  private static final LlamaConfig TRAINED =
      new LlamaConfig(48, 96, 2, 3, 3, 16, 128, SHORT, 10_000, 1e-5, true);

  /** Bytes of the repository's license, of which the last fifth is held out. */
  private final int[] text = text();

  private final int heldOut = text.length * 4 / 5;

  private static int[] text() {
    try {
      byte[] bytes = Files.readAllBytes(Path.of(System.getProperty("caravan.root"), "LICENSE"));
      int[] ids = new int[bytes.length];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = bytes[i] & 0x7f;
      }
      return ids;
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void scaledFrequenciesBringLongWindowsBackWithAndWithoutTraining() {
    float[] parameters = trained(TRAINED, new float[0], 300, 16);
    double shortWindows = perplexity(TRAINED, parameters);
    double unscaled = perplexity(TRAINED.withContext(LONG, RopeScaling.NONE), parameters);
    assertThat(unscaled).isGreaterThan(1.3 * shortWindows);

    LlamaConfig dynamic = TRAINED.withContext(LONG, RopeScaling.dynamic(FACTOR, SHORT));
    assertThat(perplexity(dynamic, parameters)).isLessThan(0.9 * unscaled);

    LlamaConfig linear = TRAINED.withContext(LONG, RopeScaling.linear(FACTOR));
    LlamaConfig llama3 = TRAINED.withContext(LONG, RopeScaling.llama3(FACTOR, 1, 4, SHORT));
    for (LlamaConfig scaled : new LlamaConfig[] {linear, llama3}) {
      assertThat(perplexity(scaled, trained(scaled, parameters, 30, 4)))
          .as(scaled.ropeScaling().toString())
          .isLessThan(0.7 * unscaled);
    }
  }

  /**
   * Steps of AdamW on random stretches as long as the context.
   *
   * @param from parameters to start from; random ones where it is empty
   */
  private float[] trained(LlamaConfig config, float[] from, int steps, int rows) {
    Schedule constant = new Schedule(Schedule.Kind.CONSTANT, 3e-3, 0, 0, steps, 0);
    AdamW adam = new AdamW(constant, 0.9, 0.98, 1e-8, 1);
    ComputationGraph graph = LlamaGraph.create(config, adam, 0, 1, "cpu", 1);
    if (from.length > 0) {
      graph.params().assign(Nd4j.createFromArray(from).reshape(1, from.length));
    }
    Random random = new Random(1);
    for (int step = 0; step < steps; step++) {
      float[][] ids = new float[rows][config.contextLength()];
      float[][] targets = new float[rows][config.contextLength()];
      for (int row = 0; row < rows; row++) {
        int at = random.nextInt(heldOut - config.contextLength());
        for (int i = 0; i < config.contextLength(); i++) {
          ids[row][i] = text[at + i];
          targets[row][i] = text[at + i + 1];
        }
      }
      INDArray features = Nd4j.createFromArray(ids);
      graph.fit(new MultiDataSet(features, Nd4j.createFromArray(targets)));
    }
    float[] parameters = graph.params().dup().data().asFloat();
    LlamaOutput output = LlamaGraph.output(graph);
    output.close();
    graph.close();
    return parameters;
  }

  /** Of the held-out bytes in stretches of LONG, which a shorter context reads in windows. */
  private double perplexity(LlamaConfig config, float[] parameters) {
    try (CpuEngine engine = new CpuEngine(config, 1);
        FloatPointer weights = new FloatPointer(parameters)) {
      Perplexity perplexity = new Perplexity(engine, weights, 4096);
      for (int at = heldOut; at + LONG < text.length; at += LONG) {
        perplexity.add(Arrays.copyOfRange(text, at, at + LONG + 1));
      }
      return perplexity.result().perplexity();
    }
  }
}
