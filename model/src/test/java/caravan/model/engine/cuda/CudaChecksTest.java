package caravan.model.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.LlamaConfig;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What jobs/bench/run train-cuda checks on a GPU, on the stand-in. */
@Tag("cpp")
class CudaChecksTest {
  private static final LlamaConfig MODEL = Toy.config(4, 2, 16, 64, true);

  @BeforeAll
  static void load() {
    StandIn.load();
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(names = {"FP32", "BF16"})
  void gradients_and_steps_are_as_close_to_the_cpu_engines_as_stated(Precision precision) {
    try (CudaChecks checks = new CudaChecks(MODEL, 3, 17, 1)) {
      List<CudaCase> cases = CudaCase.all();
      assertThat(cases).extracting(CudaCase::name).doesNotHaveDuplicates();
      for (CudaCase it : cases) {
        CudaChecks.Result result = checks.check(it, precision);
        assertThat(result.worst()).as("%s: %s", it.name(), result).isLessThanOrEqualTo(1);
      }
    }
    assertThat(StandIn.liveBytes()).isZero();
  }
}
