package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.LlamaLayer;
import caravan.model.ParameterLayout;
import caravan.model.ParameterRanges;
import caravan.model.WeightDecayRates;
import caravan.model.checkpoint.HuggingFaceWeights;
import caravan.model.engine.Objective;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** Lion, SGD, and which parameters a step moves. */
class OptimizersTest {
  private static final LlamaConfig MODEL = Trainings.MODEL;
  private static final PatternSource DATA = new PatternSource(12, 60, 23, true);
  private static final Schedule RATE = new Schedule(Schedule.Kind.CONSTANT, 0.01, 0, 0, 10, 0);
  private static final int LENGTH = 1000;

  @Test
  void lionStepsAsThePapersProgramDoes() {
    Lion config = new Lion(RATE, 0.9, 0.99, 2, Turns.ALL);
    assertThat(config.stateSize(LENGTH)).isEqualTo(LENGTH);
    var updater = config.instantiate(Nd4j.create(1, LENGTH), true);
    double[] m = new double[LENGTH];
    for (int step = 0; step < 5; step++) {
      float[] gradient = gradient(step);
      INDArray update = Nd4j.createFromArray(gradient);
      updater.applyUpdater(update, step, 0);
      double scale = Math.min(1, 2 / norm(gradient));
      for (int i = 0; i < LENGTH; i++) {
        double g = gradient[i] * scale;
        double wanted = 0.01 * Math.signum(0.9 * m[i] + (1 - 0.9) * g);
        m[i] = 0.99 * m[i] + (1 - 0.99) * g;
        assertThat((double) update.getFloat(i)).isCloseTo(wanted, within(1e-8));
      }
    }
  }

  @Test
  void noBitDependsOnTheNumberOfThreads() {
    List<FlatOptimizer> optimizers =
        List.of(
            new AdamW(RATE, 0.9, 0.95, 1e-8, 0.5),
            new Lion(RATE, 0.9, 0.99, 0.5, Turns.ALL),
            new MomentumSgd(RATE, 0.9, 0.5, Turns.ALL));
    for (FlatOptimizer optimizer : optimizers) {
      assertThat(steps(optimizer, 3)).isEqualTo(steps(optimizer, 1));
    }
  }

  /** The updates of a few steps on a vector of many chunks, and the norms before them. */
  private static List<Object> steps(FlatOptimizer optimizer, int threads) {
    int length = 200_003;
    FlatUpdater<?> updater = optimizer.updater();
    INDArray state = Nd4j.create(1, optimizer.stateSize(length));
    updater.setStateViewArray(state, null, 'c', true);
    updater.useThreads(threads);
    List<Object> seen = new ArrayList<>();
    for (int step = 0; step < 3; step++) {
      float[] gradient = new float[length];
      for (int i = 0; i < length; i++) {
        gradient[i] = (float) Math.sin(i * 0.37 + step);
      }
      INDArray update = Nd4j.createFromArray(gradient);
      updater.applyUpdater(update, step, 0);
      seen.add(updater.gradientNorm());
      seen.add(Arrays.hashCode(update.toFloatVector()));
    }
    updater.close();
    return seen;
  }

  @Test
  void sgdAddsUpMomentum() {
    MomentumSgd config = new MomentumSgd(RATE, 0.9, 0, Turns.ALL);
    assertThat(config.stateSize(LENGTH)).isEqualTo(LENGTH);
    assertThat(new MomentumSgd(RATE, 0, 0, Turns.ALL).stateSize(LENGTH)).isZero();
    var updater = config.instantiate(Nd4j.create(1, LENGTH), true);
    double[] b = new double[LENGTH];
    for (int step = 0; step < 5; step++) {
      float[] gradient = gradient(step);
      INDArray update = Nd4j.createFromArray(gradient);
      updater.applyUpdater(update, step, 0);
      for (int i = 0; i < LENGTH; i++) {
        b[i] = 0.9 * b[i] + gradient[i];
        assertThat((double) update.getFloat(i)).isCloseTo(0.01 * b[i], within(1e-6));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"adamw", "lion", "sgd"})
  void everyOptimizerSurvivesTheGraphsJsonAndLowersTheLoss(String kind) {
    TrainConfig config =
        TrainConfigs.with(
            TrainConfigs.SMALL,
            Map.of(
                "optimizer",
                new OptimizerConfig(kind, 0.9),
                "freeze",
                List.of("model.norm.weight"),
                "learningRate",
                kind.equals("sgd") ? 0.3 : 0.01));
    ComputationGraph graph = graph(config);
    ComputationGraphConfiguration conf = graph.getConfiguration();
    assertThat(ComputationGraphConfiguration.fromJson(conf.toJson())).isEqualTo(conf);
    LocalTrainer.train(graph, DATA, new SequenceOrder(60, 3), 0, 4, 1);
    double first = graph.score();
    LocalTrainer.train(graph, DATA, new SequenceOrder(60, 3), 0, 4, 30);
    assertThat(graph.score()).isLessThan(0.8 * first);
  }

  @Test
  void frozenTensorsKeepEveryBitAndHaveNoState() {
    TrainConfig config =
        TrainConfigs.with(
            TrainConfigs.SMALL,
            Map.of("freeze", List.of("model.embed_tokens.weight", "*.k_proj.*", "*.1.mlp.*")));
    ComputationGraph graph = graph(config);
    float[] before = GraphState.of(graph).parameters();
    LocalTrainer.train(graph, DATA, new SequenceOrder(60, 3), 0, 4, 3);
    GraphState after = GraphState.of(graph);
    long trained = 0;
    for (HuggingFaceWeights.Slice slice : HuggingFaceWeights.slices(new ParameterLayout(MODEL))) {
      boolean frozen =
          Set.of("model.embed_tokens.weight").contains(slice.name())
              || slice.name().contains("k_proj")
              || slice.name().startsWith("model.layers.1.mlp");
      trained += frozen ? 0 : slice.length();
      for (int i = (int) slice.offset(); i < slice.offset() + slice.length(); i++) {
        if (frozen) {
          assertThat(after.parameters()[i]).as(slice.name()).isEqualTo(before[i]);
        } else {
          assertThat(after.parameters()[i]).as(slice.name()).isNotEqualTo(before[i]);
        }
      }
    }
    assertThat(after.updaterState()).hasSize((int) (2 * trained));
  }

  @Test
  void whatIsFrozenHasNoPartInTheNorm() {
    float[] gradient = {3, 100, 4, -7};
    ParameterRanges outer = new ParameterRanges(List.of(0L, 1L, 2L, 3L));
    MomentumSgd sgd = new MomentumSgd(RATE, 0, 1, Turns.always(outer));
    INDArray update = Nd4j.createFromArray(gradient);
    FlatUpdater<?> updater = (FlatUpdater<?>) sgd.instantiate((INDArray) null, false);
    updater.applyUpdater(update, 0, 0);
    assertThat(updater.gradientNorm()).isEqualTo(5);
    assertThat(update.toFloatVector())
        .containsExactly(new float[] {0.006f, 0, 0.008f, 0}, within(1e-8f));
  }

  @Test
  void aGradientThatIsNotFiniteMovesNothing() {
    AdamW adam = new AdamW(RATE, 0.9, 0.95, 1e-8, 1);
    INDArray state = Nd4j.create(8);
    FlatUpdater<?> updater = (FlatUpdater<?>) adam.instantiate(state, true);
    updater.applyUpdater(Nd4j.createFromArray(1f, 2f, 3f, 4f), 0, 0);
    float[] before = state.dup().toFloatVector();
    INDArray bad = Nd4j.createFromArray(1f, Float.NaN, 3f, Float.POSITIVE_INFINITY);
    updater.applyUpdater(bad, 1, 0);
    assertThat(updater.gradientNorm()).isNaN();
    assertThat(bad.toFloatVector()).containsExactly(0, 0, 0, 0);
    assertThat(state.toFloatVector()).containsExactly(before);
  }

  /** Each block's turn is what AdamW does to it alone with everything else frozen. */
  @Test
  void blocksTakeTurnsWithTheMomentsOfOne() {
    TrainConfig config = TrainConfigs.with(TrainConfigs.SMALL, Map.of("blockSteps", 2));
    ComputationGraph graph = graph(config);
    ParameterLayout layout = new ParameterLayout(MODEL);
    long largest =
        layout.block(1).attentionNorm().offset() - layout.block(0).attentionNorm().offset();
    assertThat(GraphState.of(graph).updaterState()).hasSize((int) (2 * largest));
    List<float[]> seen = new ArrayList<>();
    for (int turn = 0; turn < 5; turn++) {
      seen.add(GraphState.of(graph).parameters());
      LocalTrainer.train(graph, DATA, new SequenceOrder(60, 3), 8L * turn, 4, 2);
    }
    seen.add(GraphState.of(graph).parameters());
    List<ParameterRanges> parts = config.updater(MODEL).turns().parts();
    assertThat(parts).hasSize(4);
    for (int turn = 0; turn < 5; turn++) {
      ParameterRanges moved = parts.get(turn % 4);
      for (int i = 0; i < layout.length(); i++) {
        boolean changed = seen.get(turn)[i] != seen.get(turn + 1)[i];
        assertThat(changed)
            .as("turn %d, %d", turn, i)
            .isEqualTo(moved.within(i, i + 1).length() == 1);
      }
    }
    ComputationGraph alone =
        graph(
            TrainConfigs.with(
                TrainConfigs.SMALL,
                Map.of("freeze", List.of("model.layers.*", "model.norm.weight"))));
    LocalTrainer.train(alone, DATA, new SequenceOrder(60, 3), 0, 4, 2);
    assertThat(seen.get(1)).containsExactly(GraphState.of(alone).parameters());
  }

  @Test
  void decayGoesByGroup() {
    ComputationGraph graph =
        LlamaGraph.create(
            new LlamaLayer(
                MODEL, "cpu", 1, new WeightDecayRates(0.1, 0.02, 0.3), Objective.PLAIN, 0),
            new MomentumSgd(RATE, 0, 1e-30, Turns.ALL),
            3);
    float[] before = GraphState.of(graph).parameters();
    LocalTrainer.train(graph, DATA, new SequenceOrder(60, 3), 0, 4, 1);
    float[] after = GraphState.of(graph).parameters();
    for (ParameterLayout.Tensor tensor : new ParameterLayout(MODEL).tensors()) {
      double rate = tensor.isNorm() ? 0.3 : tensor.name().equals("embedding") ? 0.02 : 0.1;
      int at = (int) tensor.offset();
      assertThat((double) after[at])
          .as(tensor.name())
          .isCloseTo(before[at] * (1 - 0.01 * rate), within(1e-7));
    }
  }

  @Test
  void patternsThatFitNothingOrEverythingAreRefused() {
    ParameterLayout layout = new ParameterLayout(MODEL);
    assertThatThrownBy(() -> TrainedTensors.turns(layout, List.of("model.layer.*"), 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("train.freeze: got model.layer.*, which fits no tensor")
        .hasMessageContaining("model.embed_tokens.weight");
    assertThatThrownBy(() -> TrainedTensors.turns(layout, List.of("*"), 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("leaves nothing to train");
  }

  @Test
  void wrongSettingsOfLossAndOptimizerSayWhatIsWrong() {
    assertThatThrownBy(() -> new LossConfig(0, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("train.loss.label-smoothing: got 1.0, wanted a number in [0, 1)");
    assertThatThrownBy(() -> new OptimizerConfig("adam", 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("train.optimizer.kind: got adam, wanted one of adamw, lion, sgd");
  }

  private static ComputationGraph graph(TrainConfig config) {
    return LlamaGraph.create(config.layer(MODEL, 3), config.updater(MODEL), 3);
  }

  private static float[] gradient(int step) {
    float[] gradient = new float[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
      gradient[i] = (float) Math.sin(i * 0.7 + step) * (i % 5 == 0 ? 3 : 0.01f);
    }
    return gradient;
  }

  private static double norm(float[] values) {
    double squares = 0;
    for (float value : values) {
      squares += (double) value * value;
    }
    return Math.sqrt(squares);
  }
}
