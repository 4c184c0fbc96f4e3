package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import caravan.model.Adaptation;
import caravan.model.AdapterLayout;
import caravan.model.AdapterWeights;
import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.LlamaLayer;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterRanges;
import caravan.model.WeightDecayRates;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.Objective;
import caravan.model.engine.ResidentTraining.Step;
import caravan.model.engine.TokenBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** Training that stays on the (stand-in) GPU is Deeplearning4j's, step for step. */
@Tag("cpp")
class GraphStepsTest {
  private static final LlamaConfig MODEL =
      new LlamaConfig(32, 40, 2, 4, 2, 8, 61, 24, 10_000, 1e-5, true);

  private static final Schedule RATES = new Schedule(Schedule.Kind.COSINE, 0.01, 0.001, 2, 10, 0);

  private static AdamW adam(double clipNorm) {
    return new AdamW(RATES, 0.9, 0.95, 1e-8, clipNorm);
  }

  private record Run(float[] parameters, float[] state, int iterations, List<Step> steps) {
    static Run of(ComputationGraph graph, int rounds) {
      Random random = new Random(7);
      List<Step> steps = new ArrayList<>();
      for (int round = 0; round < rounds; round++) {
        GraphSteps training = new GraphSteps(graph);
        for (int step = 0; step < 3; step++) {
          int[] ids = random.ints(72, 0, 61).toArray();
          int[] targets = random.ints(72, -1, 61).toArray();
          training.take(Batches.dataSet(new TokenBatch(ids, targets, 3, 24)));
        }
        steps.addAll(training.finish());
      }
      LlamaGraph.output(graph).close();
      INDArray state = graph.getUpdater().getStateViewArray();
      return new Run(
          floats(graph.params()),
          state == null ? new float[0] : floats(state),
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
    assertEqualSteps(adam(clipNorm), 0, WeightDecayRates.ofMatrices(0.1), Objective.PLAIN, rounds);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"adamw", "lion", "sgd", "momentum"})
  void everyRuleOnTheDeviceMovesWhatItMovesOnTheHost(String rule) {
    FlatOptimizer optimizer =
        switch (rule) {
          case "lion" -> new Lion(RATES, 0.9, 0.99, 0.5, Turns.ALL);
          case "sgd" -> new MomentumSgd(RATES, 0, 0, Turns.ALL);
          case "momentum" -> new MomentumSgd(RATES, 0.9, 0.5, Turns.ALL);
          default -> adam(0.5);
        };
    WeightDecayRates decay = new WeightDecayRates(0.1, 0.02, 0.3);
    assertEqualSteps(optimizer, 2, decay, new Objective(1e-3, 0.1, 0.1, 0.1, 5), 2);
  }

  @ParameterizedTest(name = "{0} stays as it is")
  @CsvSource({"model.embed_tokens.weight", "model.layers.0.*", "*.mlp.up_proj.weight"})
  void whatIsFrozenStaysOnTheDeviceTooAndHasNoState(String pattern) {
    ParameterLayout layout = new ParameterLayout(MODEL);
    Turns turns = TrainedTensors.turns(layout, List.of(pattern), 0);
    AdamW optimizer = new AdamW(RATES, 0.9, 0.95, 1e-8, 0.5, turns);
    WeightDecayRates decay = new WeightDecayRates(0.1, 0.1, 0.1);
    Run run = assertEqualSteps(optimizer, 0, decay, Objective.PLAIN, 2);
    assertThat(run.state()).hasSize((int) (2 * turns.longest(layout.length())));
    float[] before = floats(LlamaGraph.create(layer("cpu", 0, decay), optimizer, 3).params());
    ParameterRanges frozen = turns.frozen(layout.length());
    assertThat(frozen.count()).isPositive();
    for (int range = 0; range < frozen.count(); range++) {
      for (int i = (int) frozen.from(range); i < frozen.to(range); i++) {
        assertThat(run.parameters()[i]).isEqualTo(before[i]);
      }
    }
  }

  @ParameterizedTest(name = "dropout {0}, {1} sequences at a time")
  @CsvSource({"0, 0", "0.2, 1"})
  void adaptersOnTheDeviceAreTrainedAsOnTheHost(double dropout, int passSequences) {
    LoraConfig lora =
        new LoraConfig(2, 4, dropout, LoraConfig.PROJECTIONS, false, List.of("embed_tokens"));
    try (FloatPointer parameters =
        new FloatPointer(
            LlamaGraph.create(MODEL, adam(1), 9, "cpu", 1).params().dup().data().asFloat())) {
      FrozenBase base = new FrozenBase(MODEL, parameters);
      List<Run> runs = new ArrayList<>();
      for (String engine : List.of("cpu", "cuda:fp32")) {
        LlamaLayer layer =
            layer(engine, passSequences, WeightDecayRates.ofMatrices(0.1))
                .beside(new Adaptation(lora, "in this test"));
        ComputationGraph graph = LlamaGraph.create(layer, adam(0.5), 3);
        AdapterLayout layout = new AdapterLayout(MODEL, lora);
        graph.setParams(
            Nd4j.createFromArray(pointed(AdapterWeights.start(layout, parameters, 3)))
                .reshape(1, layout.length()));
        LlamaGraph.output(graph).useBase(base);
        runs.add(Run.of(graph, 2));
      }
      assertEqualRuns(runs.get(1), runs.get(0));
    }
  }

  private static float[] pointed(FloatPointer pointer) {
    try (pointer) {
      float[] values = new float[(int) pointer.limit()];
      pointer.get(values);
      return values;
    }
  }

  private static LlamaLayer layer(String engine, int passSequences, WeightDecayRates decay) {
    return new LlamaLayer(MODEL, engine, 1, decay, Objective.PLAIN, passSequences);
  }

  private static Run assertEqualSteps(
      FlatOptimizer optimizer,
      int passSequences,
      WeightDecayRates decay,
      Objective objective,
      int rounds) {
    List<Run> runs = new ArrayList<>();
    for (String engine : List.of("cpu", "cuda:fp32")) {
      LlamaLayer layer = new LlamaLayer(MODEL, engine, 1, decay, objective, passSequences);
      runs.add(Run.of(LlamaGraph.create(layer, optimizer, 3), rounds));
    }
    assertThat(runs.get(0).iterations()).isEqualTo(3 * rounds);
    assertEqualRuns(runs.get(1), runs.get(0));
    return runs.get(1);
  }

  private static void assertEqualRuns(Run got, Run wanted) {
    assertThat(got.iterations()).isEqualTo(wanted.iterations());
    for (int i = 0; i < wanted.steps().size(); i++) {
      Step want = wanted.steps().get(i);
      Step step = got.steps().get(i);
      assertThat(step.loss()).isCloseTo(want.loss(), within(1e-4));
      assertThat(step.crossEntropy()).isCloseTo(want.crossEntropy(), within(1e-4));
      assertThat(step.gradientNorm()).isCloseTo(want.gradientNorm(), within(1e-3));
      assertThat(step.targetTokens()).isEqualTo(want.targetTokens());
    }
    assertClose(got.parameters(), wanted.parameters(), 2e-4);
    assertClose(got.state(), wanted.state(), 2e-4);
  }

  /** Adam divides by the root of tiny moments, so single weights may differ more than rounding. */
  private static void assertClose(float[] got, float[] wanted, double tolerance) {
    double squares = 0;
    double norm = 0;
    for (int i = 0; i < wanted.length; i++) {
      squares += Math.pow(got[i] - wanted[i], 2);
      norm += Math.pow(wanted[i], 2);
    }
    assertThat(got).hasSameSizeAs(wanted);
    assertThat(Math.sqrt(squares / Math.max(norm, Double.MIN_NORMAL))).isLessThan(tolerance);
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
