package caravan.model.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The plan is what the engine then holds. */
@Tag("cpp")
class TrainingPlanTest {
  /** What the plan leaves out. */
  private static final List<String> BESIDE = List.of("batches", "rotary angles", "results");

  @BeforeAll
  static void load() {
    StandIn.load();
  }

  @ParameterizedTest(name = "{0}, recompute {1}, tied {2}")
  @CsvSource({"FP32, false, true", "BF16, false, false", "BF16, true, true"})
  void theEngineHoldsToTheByteWhatWasPlanned(Precision precision, boolean recompute, boolean tied) {
    LlamaConfig config = Toy.config(4, 2, 16, 64, tied);
    CudaEngine.Options options = new CudaEngine.Options(0, precision, recompute);
    try (FloatPointer parameters = Toy.parameters(config, 1);
        FloatPointer gradient = new FloatPointer(new ParameterLayout(config).length());
        CudaEngine engine = new CudaEngine(config, options)) {
      engine.lossAndGradient(parameters, gradient, Toy.batch(config, 2, 37, 0, 5));
      Map<String, Long> held = new HashMap<>(engine.memoryByPart());
      held.keySet().removeAll(BESIDE);
      int multiprocessors = engine.device().multiprocessors();
      assertThat(TrainingPlan.of(config, options, 2 * 37, 0, multiprocessors)).isEqualTo(held);

      Map<String, Long> adam = TrainingPlan.of(config, options, 2 * 37, 2, multiprocessors);
      assertThat(adam).containsEntry("second moments", held.get("gradients"));
    }
  }
}
