package caravan.model.train;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.LlamaLayer;
import caravan.model.WeightDecayRates;
import caravan.model.engine.Objective;
import caravan.model.engine.ResidentTraining.Step;
import caravan.model.engine.TokenBatch;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.deeplearning4j.nn.graph.ComputationGraph;

/** A few training steps, as a program: the machine it runs on is the JVM's options. */
final class TrainingElsewhere {
  private static final LlamaConfig MODEL =
      new LlamaConfig(33, 41, 2, 4, 2, 8, 61, 24, 10_000, 1e-5, true);

  private static final LlamaLayer LAYER =
      new LlamaLayer(
          MODEL, "cpu", 2, WeightDecayRates.ofMatrices(0.1), new Objective(0, 0, 0.1, 0.1, 5), 0);

  private TrainingElsewhere() {}

  public static void main(String[] args) {
    System.out.println("losses " + losses());
    System.out.println("sum " + sum());
    TrainingMemory memory = TrainingMemory.of(TrainConfigs.SMALL, MODEL);
    System.out.println("memory " + memory.worker().keySet());
  }

  /** The sum of two slices. */
  static String sum() {
    byte[] first = new byte[4 * 37];
    byte[] second = new byte[first.length];
    for (int i = 0; i < 37; i++) {
      SliceArithmetic.put(first, 4 * i, i / 3f);
      SliceArithmetic.put(second, 4 * i, 1f / (i + 1));
    }
    SliceArithmetic.add(first, second);
    return Arrays.toString(first);
  }

  static String losses() {
    AdamW adam =
        new AdamW(
            new Schedule(Schedule.Kind.CONSTANT, 0.01, 0, 0, 1, 0), 0.9, 0.95, 1e-8, 0.5, null);
    ComputationGraph graph = LlamaGraph.create(LAYER, adam, 3);
    Random random = new Random(7);
    GraphSteps training = new GraphSteps(graph);
    for (int step = 0; step < 6; step++) {
      int[] ids = random.ints(48, 0, 61).toArray();
      int[] targets = random.ints(48, -1, 61).toArray();
      training.take(Batches.dataSet(new TokenBatch(ids, targets, 2, 24)));
    }
    List<Step> steps = training.finish();
    LlamaGraph.output(graph).close();
    return steps.stream()
        .map(s -> s.loss() + " " + s.gradientNorm())
        .collect(Collectors.joining(" "));
  }
}
