package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import caravan.model.Adaptation;
import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.WeightType;
import caravan.model.train.TrainConfig;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class MemoryNeedsTest {
  private static final LlamaConfig MODEL =
      new LlamaConfig(512, 1408, 8, 8, 4, 64, 8000, 512, 10000, 1e-5, true);
  private static final long GIBI = 1L << 30;

  private record Settings(TrainConfig train) {}

  private static TrainConfig config(String... overrides) {
    return ConfigLoader.of(List.of(), List.of(overrides)).read(Settings.class).train();
  }

  @Test
  void partsOfAWorkerAreToldInFull() {
    String text = MemoryNeeds.text(config(), MODEL, Optional.empty(), 16 * GIBI);
    double parameters = new ParameterLayout(MODEL).length() * 4 / (double) (1 << 20);
    assertThat(part(text, "parameters")).isEqualTo(rounded(parameters));
    assertThat(part(text, "gradient")).isEqualTo(rounded(parameters));
    assertThat(part(text, "optimizer state")).isEqualTo(rounded(2 * parameters));
    assertThat(part(text, "logits")).isGreaterThan(0);
    assertThat(text).contains("8 × 256 tokens at a time", "train.exchange=stock");
  }

  @Test
  void besideAdaptersTheBaseIsToldAndTheRestIsTheirs() {
    LoraConfig lora = new LoraConfig(8, 16, 0, LoraConfig.PROJECTIONS, false, List.of());
    Adaptation adaptation = new Adaptation(lora, "base", WeightType.Q8_0);
    String text = MemoryNeeds.text(config(), MODEL, Optional.of(adaptation), 16 * GIBI);
    double mebi = 1 << 20;
    double adapters = new AdapterLayout(MODEL, lora).length() * 4 / mebi;
    assertThat(text).contains("parameters of adapters, 8 × 256 tokens at a time");
    assertThat(part(text, "frozen base in q8_0, once per executor"))
        .isEqualTo(rounded(FrozenBase.bytes(MODEL, WeightType.Q8_0) / mebi));
    assertThat(part(text, "adapters")).isEqualTo(rounded(adapters));
    assertThat(part(text, "optimizer state")).isEqualTo(rounded(2 * adapters));
    assertThat(part(text, "adapters' activations")).isGreaterThan(0);
    String all = MemoryNeeds.text(config(), MODEL, Optional.empty(), 16 * GIBI);
    assertThat(part(text, "in sum")).isLessThan(part(all, "in sum") / 2);
  }

  @Test
  void whatIsFrozenOrSteppedByOneVectorNeedsLess() {
    double parameters = new ParameterLayout(MODEL).length() * 4 / (double) (1 << 20);
    String lion =
        MemoryNeeds.text(config("train.optimizer.kind=lion"), MODEL, Optional.empty(), 16 * GIBI);
    assertThat(part(lion, "optimizer state")).isEqualTo(rounded(parameters));
    String blocks =
        MemoryNeeds.text(config("train.block-steps=50"), MODEL, Optional.empty(), 16 * GIBI);
    assertThat(part(blocks, "optimizer state")).isEqualTo(rounded(2 * 8000 * 512 * 4 / 1048576.0));
  }

  /** Llama 3.2 3B in bf16: masters, gradients and moments of 12 GiB each, weights of 6. */
  @Test
  void ofAGpuItsOwnPartsAreToldAndWhatFitsIt() {
    LlamaConfig large =
        new LlamaConfig(3072, 8192, 28, 24, 8, 128, 128_256, 4096, 500_000, 1e-5, true);
    String[] cuda = {
      "train.engine=cuda", "train.threads=1", "train.recompute=block", "train.batch-sequences=4"
    };
    String text = MemoryNeeds.text(config(cuda), large, Optional.empty(), GIBI);
    double parameters = new ParameterLayout(large).length() * 4 / (double) (1 << 20);
    for (String what : List.of("master weights", "gradients", "first moments", "second moments")) {
      assertThat(part(text, what)).isCloseTo(parameters, within(1.0));
    }
    assertThat(part(text, "bf16 weights")).isCloseTo(parameters / 2, within(1.0));
    assertThat(part(text, "logits")).isPositive();
    assertThat(text).contains("Largest model: set train.memory-gb to the memory of a GPU in GiB");

    String[] given = Arrays.copyOf(cuda, cuda.length + 1);
    given[cuda.length] = "train.memory-gb=80";
    assertThat(MemoryNeeds.text(config(given), large, Optional.empty(), GIBI))
        .containsPattern("in 80.0 GiB a GPU \\(train.memory-gb\\): (3\\d|4\\d) layers");
  }

  /** One more layer than it says would not fit. */
  @Test
  void theLargestModelFitsAndOneLayerMoreDoesNot() {
    TrainConfig config = config("train.memory-gb=4", "train.freeze=model.layers.7.*");
    String text = MemoryNeeds.text(config, MODEL, Optional.empty(), GIBI);
    MatchResult largest =
        Pattern.compile(
                "in 4.0 GiB a worker \\(train.memory-gb\\): (\\d+) layers, ([\\d,]+) parameters")
            .matcher(text)
            .results()
            .findFirst()
            .orElseThrow();
    int layers = Integer.parseInt(largest.group(1));
    assertThat(layers).isGreaterThan(8);
    assertThat(part(MemoryNeeds.text(config, layers(layers), Optional.empty(), GIBI), "in sum"))
        .isLessThanOrEqualTo(4096);
    assertThat(part(MemoryNeeds.text(config, layers(layers + 1), Optional.empty(), GIBI), "in sum"))
        .isGreaterThan(4096);
  }

  /** The slices of two workers, and two states of parameters and two moments. */
  @Test
  void slicesTakeDisksOfExecutorsInPlaceOfTheDriver() {
    double state = 3 * new ParameterLayout(MODEL).length() * 4 / (double) (1 << 20);
    String text =
        MemoryNeeds.text(config("train.exchange=sliced"), MODEL, Optional.empty(), 16 * GIBI);
    assertThat(part(text, "state of each worker in the shuffle")).isEqualTo(rounded(2 * state));
    assertThat(text)
        .containsSubsequence("Memory of the driver", "in sum", " 0.0 MiB", "On the disks")
        .contains("Largest of the cluster: the same", "nothing of its size on the driver");
    String local =
        MemoryNeeds.text(
            config("train.exchange=sliced", "train.moments=local", "train.outer.kind=nesterov"),
            MODEL,
            Optional.empty(),
            16 * GIBI);
    assertThat(part(local, "state before and after a round")).isEqualTo(rounded(4 * state / 3));
    String halved =
        MemoryNeeds.text(
            config("train.exchange=sliced", "train.exchange-precision=bf16"),
            MODEL,
            Optional.empty(),
            16 * GIBI);
    assertThat(part(halved, "state of each worker in the shuffle"))
        .isEqualTo(rounded(2 * state * 5 / 6));
    assertThat(part(halved, "parameters as the round began")).isEqualTo(rounded(state / 3));
    assertThat(MemoryNeeds.text(config(), MODEL, Optional.empty(), 16 * GIBI))
        .contains("GiB of driver memory");
  }

  @Test
  void aMachineTooSmallForOneLayerIsToldSo() {
    assertThat(MemoryNeeds.text(config("train.memory-gb=0.01"), MODEL, Optional.empty(), GIBI))
        .contains("none, not one layer");
  }

  private static LlamaConfig layers(int layers) {
    return new LlamaConfig(512, 1408, layers, 8, 4, 64, 8000, 512, 10000, 1e-5, true);
  }

  private static double part(String text, String name) {
    return Double.parseDouble(
        Pattern.compile("(?m)^  " + name + " +([\\d,.]+) MiB$")
            .matcher(text)
            .results()
            .findFirst()
            .orElseThrow()
            .group(1)
            .replace(",", ""));
  }

  private static double rounded(double value) {
    return Math.round(value * 10) / 10.0;
  }
}
