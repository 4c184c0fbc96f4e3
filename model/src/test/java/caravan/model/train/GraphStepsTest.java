package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.engine.ResidentTraining.Step;
import caravan.model.engine.TokenBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.ndarray.INDArray;

/** Training that stays on the (stand-in) GPU is Deeplearning4j's, step for step. */
@Tag("cpp")
class GraphStepsTest {
  private static final LlamaConfig MODEL =
      new LlamaConfig(32, 40, 2, 4, 2, 8, 61, 24, 10_000, 1e-5, true);

  private static AdamW adam(double clipNorm) {
    return new AdamW(
        new Schedule(Schedule.Kind.COSINE, 0.01, 0.001, 2, 10, 0), 0.9, 0.95, 1e-8, clipNorm);
  }

  private record Run(float[] parameters, float[] moments, int iterations, List<Step> steps) {
    static Run of(String engine, double clipNorm, int rounds) {
      ComputationGraph graph = LlamaGraph.create(MODEL, adam(clipNorm), 0.1, 3, engine, 1);
      Random random = new Random(7);
      List<Step> steps = new ArrayList<>();
      for (int round = 0; round < rounds; round++) {
        GraphSteps training = new GraphSteps(graph);
        for (int step = 0; step < 3; step++) {
          int[] ids = random.ints(48, 0, 61).toArray();
          int[] targets = random.ints(48, -1, 61).toArray();
          training.take(Batches.dataSet(new TokenBatch(ids, targets, 2, 24)));
        }
        steps.addAll(training.finish());
      }
      LlamaGraph.output(graph).close();
      return new Run(
          floats(graph.params()),
          floats(graph.getUpdater().getStateViewArray()),
          graph.getConfiguration().getIterationCount(),
          steps);
    }
  }

  private static float[] floats(INDArray array) {
    return array.dup().data().asFloat();
  }

  @ParameterizedTest(name = "clip at {0}, {1} rounds")
  @CsvSource({"0, 1", "0.5, 2"})
  void stepsOnTheDeviceEqualDeeplearning4js(double clipNorm, int rounds) {
    Run wanted = Run.of("cpu", clipNorm, rounds);
    Run got = Run.of("cuda:fp32", clipNorm, rounds);
    assertThat(got.iterations()).isEqualTo(wanted.iterations()).isEqualTo(3 * rounds);
    for (int i = 0; i < wanted.steps().size(); i++) {
      Step want = wanted.steps().get(i);
      Step step = got.steps().get(i);
      assertThat(step.loss()).isCloseTo(want.loss(), within(1e-4));
      assertThat(step.gradientNorm()).isCloseTo(want.gradientNorm(), within(1e-3));
      assertThat(step.targetTokens()).isEqualTo(want.targetTokens());
    }
    assertClose(got.parameters(), wanted.parameters(), 2e-4);
    assertClose(got.moments(), wanted.moments(), 2e-4);
  }

  /** Adam divides by the root of tiny moments, so single weights may differ more than rounding. */
  private static void assertClose(float[] got, float[] wanted, double tolerance) {
    double squares = 0;
    double norm = 0;
    for (int i = 0; i < wanted.length; i++) {
      squares += Math.pow(got[i] - wanted[i], 2);
      norm += Math.pow(wanted[i], 2);
    }
    assertThat(Math.sqrt(squares / norm)).isLessThan(tolerance);
  }

  @Test
  void bf16LearnsTheSameBatchAsFp32Does() {
    assertThat(overfit("cuda")).isCloseTo(overfit("cuda:fp32"), within(0.05));
  }

  private static double overfit(String engine) {
    ComputationGraph graph = LlamaGraph.create(MODEL, adam(1), 0, 3, engine, 1);
    TokenBatch batch =
        new TokenBatch(
            new int[] {1, 2, 3, 4, 5, 6, 7, 8}, new int[] {2, 3, 4, 5, 6, 7, 8, 9}, 1, 8);
    GraphSteps training = new GraphSteps(graph);
    for (int step = 0; step < 8; step++) {
      training.take(Batches.dataSet(batch));
    }
    List<Step> steps = training.finish();
    LlamaGraph.output(graph).close();
    assertThat(steps.get(7).loss()).isLessThan(steps.get(0).loss() - 1);
    return steps.get(7).loss();
  }
}
