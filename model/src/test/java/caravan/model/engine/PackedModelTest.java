package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.Gguf;
import caravan.model.checkpoint.GgufWriter;
import caravan.model.checkpoint.SpecialTokens;
import caravan.model.checkpoint.WeightSink;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.assertj.core.data.Offset;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A model that is packed while it is read: as if it had been floats in between. */
class PackedModelTest {
  private static final Configuration HADOOP = new Configuration();
  private static final int[] IDS = {3, 1, 4, 1, 5, 9, 2, 6};

  @TempDir private Path folder;

  private static LlamaConfig config(boolean tied, int vocabulary) {
    return new LlamaConfig(64, 96, 2, 4, 2, 16, vocabulary, 64, 10_000, 1e-5, tied);
  }

  private static Checkpoint model(LlamaConfig config) {
    Random random = new Random(3);
    FloatPointer parameters = new FloatPointer(new ParameterLayout(config).length());
    for (long i = 0; i < parameters.capacity(); i++) {
      parameters.put(i, (float) (0.1 * random.nextGaussian()));
    }
    return Checkpoint.ofModel(config, SpecialTokens.none(), parameters, Map.of());
  }

  /** Its path: a GGUF file in Q8_0 or F16, else a directory of floats. */
  private String written(Checkpoint model, String format) {
    String file = folder.resolve("model." + format).toString();
    if (format.equals("f32")) {
      Checkpoints.export(file, HADOOP, model);
    } else {
      GgufWriter.Weights weights = GgufWriter.Weights.valueOf(format.toUpperCase());
      GgufWriter.write(file, HADOOP, model, weights, Map.of());
    }
    return file;
  }

  private static Checkpoint open(String file) {
    return file.endsWith("f32")
        ? Checkpoints.open(file, HADOOP)
        : Gguf.read(file, HADOOP).checkpoint();
  }

  private static FrozenBase packed(String file, WeightType type) {
    FrozenBase[] packed = new FrozenBase[1];
    Function<LlamaConfig, WeightSink> sink =
        config -> {
          packed[0] = FrozenBase.packed(config, type);
          return packed[0]::put;
        };
    if (file.endsWith("f32")) {
      Checkpoints.read(file, HADOOP, Optional.empty(), sink);
    } else {
      Gguf.read(file, HADOOP, sink);
    }
    return packed[0];
  }

  @ParameterizedTest(name = "{0} from {1}, tied {2}")
  @CsvSource({
    "BF16, f32, true",
    "BF16, f16, false",
    "BF16, q8_0, true",
    "Q8_0, f32, false",
    "Q8_0, q8_0, true"
  })
  void itSaysAndScoresWhatTheFloatsSayAndScore(WeightType type, String format, boolean tied) {
    LlamaConfig config = config(tied, 200);
    String file;
    try (Checkpoint model = model(config)) {
      file = written(model, format);
    }
    TokenBatch batch = new TokenBatch(IDS, new int[] {1, 4, 1, 5, 9, 2, 6, 5}, 1, IDS.length);
    try (Checkpoint floats = open(file);
        FrozenBase base = packed(file, type);
        CpuEngine through = new CpuEngine(config, 2, type);
        CpuEngine direct = new CpuEngine(config, base, 2);
        LlamaEngine.Decoder wanted = through.decoder(floats.parameters(), 20);
        LlamaEngine.Decoder got = direct.decoder(new FloatPointer(), 20)) {
      assertThat(got.append(IDS)).containsExactly(wanted.append(IDS));
      assertThat(got.append(7)).containsExactly(wanted.append(7));

      StoredWeights.round(new ParameterLayout(config), floats.parameters(), type);
      LlamaEngine.TokenScores scores = through.score(floats.parameters(), batch);
      LlamaEngine.TokenScores same = direct.score(new FloatPointer(), batch);
      assertThat(same.logProbability())
          .containsExactly(scores.logProbability(), Offset.offset(2e-6f));
      assertThat(same.greedy()).containsExactly(scores.greedy());
    }
  }

  /** 2.4 million parameters, whose rows come in stretches of a quarter of a million at most. */
  @Test
  void atNoMomentIsThereMoreOutsideTheHeapThanThePackedModel() {
    LlamaConfig config = config(true, 36_000);
    String file;
    try (Checkpoint model = model(config)) {
      file = written(model, "q8_0");
    }
    long before = Pointer.totalBytes();
    AtomicLong most = new AtomicLong();
    AtomicInteger longest = new AtomicInteger();
    FrozenBase[] packed = new FrozenBase[1];
    Gguf.read(
        file,
        HADOOP,
        shape -> {
          packed[0] = FrozenBase.packed(shape, WeightType.Q8_0);
          return (offset, floats, from, count) -> {
            most.accumulateAndGet(Pointer.totalBytes() - before, Math::max);
            longest.accumulateAndGet(floats.length, Math::max);
            packed[0].put(offset, floats, from, count);
          };
        });
    long length = new ParameterLayout(config).length();
    assertThat(packed[0].bytes()).isEqualTo(FrozenBase.bytes(config, WeightType.Q8_0));
    packed[0].close();
    assertThat(most.get()).isBetween(length * 36 / 32, length * 36 / 32 + (1 << 16));
    assertThat(longest.get()).isBetween(1, WeightSink.MOST_ROW_FLOATS);
  }

  @Test
  void itIsNotTrained() {
    LlamaConfig config = config(true, 50);
    String file;
    try (Checkpoint model = model(config)) {
      file = written(model, "f32");
    }
    try (FrozenBase base = packed(file, WeightType.BF16);
        CpuEngine engine = new CpuEngine(config, base, 1);
        FloatPointer gradient = new FloatPointer(new ParameterLayout(config).length())) {
      TokenBatch batch = new TokenBatch(IDS, IDS, 1, IDS.length);
      assertThatThrownBy(() -> engine.lossAndGradient(new FloatPointer(), gradient, batch))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("engine: got a packed model to train, wanted floats");
    }
  }
}
