package caravan.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import caravan.model.checkpoint.HuggingFaceWeights;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.Nd4jEngine;
import caravan.model.engine.Objective;
import caravan.model.engine.TokenBatch;
import caravan.model.engine.TrainingPass;
import caravan.model.train.Lion;
import caravan.model.train.MomentumSgd;
import caravan.model.train.Schedule;
import caravan.model.train.Turns;
import java.io.IOException;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.MultiDataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.IUpdater;

/** Options of training compute what PyTorch computes on transformers' models. */
class GoldenTrainingTest {
  private static final Objective OBJECTIVE = new Objective(0.01, 0.1, 0, 0, 0);

  @ParameterizedTest(name = "{0}, {1}")
  @CsvSource({"tied, cpu", "tied, nd4j", "grouped-untied, cpu", "grouped-untied, nd4j"})
  void labelSmoothingAndZLossEqualPyTorch(String name, String kind) throws IOException {
    try (Golden golden = Golden.open(name);
        LlamaEngine engine =
            kind.equals("cpu")
                ? new CpuEngine(golden.config(), 2)
                : new Nd4jEngine(golden.config());
        FloatPointer gradient = new FloatPointer(new ParameterLayout(golden.config()).length())) {
      TokenBatch batch = golden.batch();
      TrainingPass.Loss loss =
          engine.lossAndGradient(
              golden.parameters(), gradient, batch, TrainingPass.whole(OBJECTIVE, 0, batch));
      assertThat(loss.objective()).isCloseTo(golden.objective(), within(2e-5));
      assertThat(loss.crossEntropy()).isCloseTo(golden.loss(), within(1e-5));
      for (HuggingFaceWeights.Slice slice :
          HuggingFaceWeights.slices(new ParameterLayout(golden.config()))) {
        float[] got = new float[(int) slice.length()];
        FloatPointer from = gradient.getPointer(slice.offset());
        from.get(got);
        float[] wanted = golden.objectiveGradient(slice.name());
        assertThat(distance(got, wanted))
            .as(slice.name())
            .isLessThan(1e-4 * distance(wanted, new float[wanted.length]));
      }
    }
  }

  @ParameterizedTest(name = "{0}, {1}")
  @CsvSource({"tied, sgd", "tied, lion", "grouped-untied, sgd", "grouped-untied, lion"})
  void threeStepsMoveEveryParameterAsTheReferenceDoes(String name, String optimizer)
      throws IOException {
    IUpdater updater =
        optimizer.equals("sgd")
            ? new MomentumSgd(constant(0.1), 0.9, 1, Turns.ALL)
            : new Lion(constant(0.01), 0.9, 0.99, 1, Turns.ALL);
    try (Golden golden = Golden.open(name)) {
      ComputationGraph graph = LlamaGraph.create(golden.config(), updater, 1, "cpu", 1);
      float[] before = new float[(int) graph.numParams()];
      golden.parameters().get(before);
      graph.params().assign(Nd4j.createFromArray(before).reshape(1, before.length));
      TokenBatch batch = golden.batch();
      MultiDataSet data =
          new MultiDataSet(array(batch.ids(), batch), array(batch.targets(), batch));
      for (int step = 0; step < 3; step++) {
        graph.fit(data);
      }
      float[] after = graph.params().dup().data().asFloat();
      for (HuggingFaceWeights.Slice slice :
          HuggingFaceWeights.slices(new ParameterLayout(golden.config()))) {
        float[] wanted = golden.steppedBy(optimizer, slice.name());
        for (int i = 0; i < wanted.length; i++) {
          assertThat(after[(int) slice.offset() + i])
              .as("%s[%d]", slice.name(), i)
              .isCloseTo(wanted[i], within(2e-5f));
        }
      }
      LlamaGraph.output(graph).close();
      graph.close();
    }
  }

  private static Schedule constant(double rate) {
    return new Schedule(Schedule.Kind.CONSTANT, rate, 0, 0, 10, 0);
  }

  private static INDArray array(int[] ids, TokenBatch batch) {
    float[] floats = new float[ids.length];
    for (int i = 0; i < ids.length; i++) {
      floats[i] = ids[i];
    }
    return Nd4j.createFromArray(floats).reshape(batch.batch(), batch.seq());
  }

  private static double distance(float[] a, float[] b) {
    double squares = 0;
    for (int i = 0; i < a.length; i++) {
      squares += ((double) a[i] - b[i]) * (a[i] - b[i]);
    }
    return Math.sqrt(squares);
  }
}
