package caravan.model.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.ResidentTraining;
import caravan.model.engine.TokenBatch;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the engine holds on the GPU, what it gives back, and what it says when a call fails. */
@Tag("cpp")
class LifetimesTest {
  private static final LlamaConfig MODEL = Toy.config(2, 1, 8, 16, true);
  private static final long LENGTH = new ParameterLayout(MODEL).length();
  private static final TokenBatch BATCH = Toy.batch(MODEL, 2, 6, 0.1, 3);
  private static final ResidentTraining.Recipe ADAM =
      ResidentTraining.Recipe.plain(ResidentTraining.Optimizer.adamW(0.9, 0.95, 1e-8, 1), 0.1);

  @BeforeAll
  static void load() {
    StandIn.load();
  }

  @AfterEach
  void nothingIsLeft() {
    StandIn.failAllocation(-1);
    StandIn.failKernel("");
    assertThat(StandIn.liveBytes()).isZero();
    assertThat(StandIn.liveObjects()).isZero();
  }

  private static CudaEngine engine() {
    return new CudaEngine(MODEL, new CudaEngine.Options(0, Precision.BF16, false));
  }

  /** Everything an engine can do, once. */
  private static void useAll(CudaEngine engine) {
    try (FloatPointer parameters = Toy.parameters(MODEL, 1);
        FloatPointer moments = Toy.zeros(2 * LENGTH);
        FloatPointer gradient = Toy.zeros(LENGTH)) {
      engine.lossAndGradient(parameters, gradient, BATCH);
      engine.score(parameters, BATCH);
      try (LlamaEngine.Decoder decoder = engine.decoder(parameters, 9)) {
        decoder.append(1, 2, 3);
        decoder.append(4);
      }
      try (ResidentTraining training = engine.train(parameters, moments, ADAM).orElseThrow()) {
        training.step(BATCH, 1e-3, 0, 0);
        training.store();
      }
    }
  }

  @Test
  void closingFreesEverything() {
    try (CudaEngine engine = engine()) {
      useAll(engine);
      assertThat(StandIn.liveBytes()).isPositive();
    }
  }

  @Test
  void afterTheFirstStepNothingIsAllocated() {
    try (CudaEngine engine = engine();
        FloatPointer parameters = Toy.parameters(MODEL, 1);
        FloatPointer moments = Toy.zeros(2 * LENGTH)) {
      for (int round = 0; round < 3; round++) {
        try (ResidentTraining training = engine.train(parameters, moments, ADAM).orElseThrow()) {
          for (int step = 0; step < 6; step++) {
            training.step(BATCH, 1e-3, step, step);
            if (round == 0 && step == 0) {
              StandIn.failAllocation(-1);
            }
          }
          training.store();
        }
      }
      assertThat(StandIn.allocations()).isZero();
    }
  }

  @Test
  void theNthAllocationThatFailsSaysWhatHoldsTheMemoryAndNothingLeaks() {
    StandIn.failAllocation(-1);
    try (CudaEngine engine = engine()) {
      useAll(engine);
    }
    long allocations = StandIn.allocations();
    assertThat(allocations).isGreaterThan(50);
    // Every seventh and the first ones: each is a run of the whole engine.
    for (long n = 1; n <= allocations; n += n < 8 ? 1 : 7) {
      StandIn.failAllocation(n);
      Throwable failure =
          catchThrowable(
              () -> {
                try (CudaEngine engine = engine()) {
                  useAll(engine);
                }
              });
      assertThat(failure).as("allocation %d", n).isInstanceOf(CudaException.class);
      assertThat(failure.getMessage())
          .containsAnyOf("is out of memory: wanted", "cuBLASLt's workspace of 64 MiB");
      assertThat(StandIn.liveBytes()).as("allocation %d", n).isZero();
      assertThat(StandIn.liveObjects()).as("allocation %d", n).isZero();
    }
  }

  @Test
  void outOfMemoryNamesThePartsAndWhatToDo() {
    try (CudaEngine engine = engine();
        FloatPointer parameters = Toy.parameters(MODEL, 1)) {
      engine.score(parameters, BATCH);
      StandIn.failAllocation(3);
      assertThatThrownBy(() -> engine.score(parameters, Toy.batch(MODEL, 4, 20, 0, 1)))
          .isInstanceOf(CudaException.class)
          .hasMessageContaining("GPU 0 (stand-in) is out of memory: wanted 1 MiB for ")
          .hasMessageContaining("of 4096 MiB are free; this engine holds master weights 1 MiB")
          .hasMessageContaining("use fewer sequences per batch (train.batch-sequences)");
      StandIn.failAllocation(-1);
      // The engine is as usable as before.
      assertThat(engine.score(parameters, BATCH).logProbability()).hasSize(12);
    }
  }

  @Test
  void aKernelThatFailsIsNamed() {
    for (String kernel : List.of("rmsnorm", "swiglu_backward", "cross_entropy")) {
      StandIn.failKernel(kernel);
      try (CudaEngine engine = engine()) {
        assertThatThrownBy(() -> useAll(engine))
            .isInstanceOf(CudaException.class)
            .hasMessage("kernel " + kernel + ": got status 719 (told to fail)");
      }
    }
  }

  @Test
  void aGpuThatIsNotThereAndAClosedEngineSayWhatToDo() {
    assertThatThrownBy(
            () -> new CudaEngine(MODEL, new CudaEngine.Options(3, Precision.BF16, false)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "engine cuda: got GPU 3, this process sees GPUs 0 to 0; check CUDA_VISIBLE_DEVICES and"
                + " Spark's resource addresses");
    CudaEngine engine = engine();
    engine.close();
    engine.close();
    try (FloatPointer parameters = Toy.parameters(MODEL, 1)) {
      assertThatThrownBy(() -> engine.score(parameters, BATCH))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("engine: used after close(); open a new one");
    }
  }

  @Test
  void aMissingLibraryIsNamedWithWhatToDo() {
    assertThatThrownBy(
            () ->
                Libraries.openFirst(
                    "the GPU's driver",
                    Driver::openDriver,
                    List.of("libnone.so.1"),
                    "; run on a machine with an NVIDIA GPU"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(
            "engine cuda: cannot open the GPU's driver: libnone.so.1: cannot open")
        .hasMessageEndingWith("; run on a machine with an NVIDIA GPU");
    assertThatThrownBy(() -> Libraries.load(null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("engine cuda: it was left out of this build, which found no C");
  }
}
