package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever format a weight that is no number comes in, reading it names the file and the place. */
class FiniteWeightsTest {
  private static final Configuration HADOOP = new Configuration();

  /** Of more parameters than are looked through at a time. */
  private static final LlamaConfig CONFIG =
      new LlamaConfig(64, 128, 3, 4, 2, 16, 640, 40, 10_000, 1e-5, true);

  private static final ParameterLayout LAYOUT = new ParameterLayout(CONFIG);

  /** Element [17, 5] of the last layer's mlp.up_proj. */
  private static final long PLACE = LAYOUT.block(2).gateUp().offset() + (128 + 17) * 64 + 5;

  private static final String NAME = "model.layers.2.mlp.up_proj.weight";

  @TempDir private Path folder;

  private static Checkpoint model(float... last) {
    FloatPointer parameters = new FloatPointer(LAYOUT.length());
    for (long i = 0; i < LAYOUT.length(); i++) {
      parameters.put(i, (float) Math.sin(i));
    }
    for (int i = 0; i < last.length; i++) {
      parameters.put(PLACE + i, last[i]);
    }
    return Checkpoint.ofModel(CONFIG, SpecialTokens.none(), parameters, Map.of());
  }

  private Path exported(float... last) {
    try (Checkpoint model = model(last)) {
      Checkpoints.export(folder.toString(), HADOOP, model);
    }
    return folder.resolve(HuggingFaceWeights.FILE);
  }

  private static void refused(Runnable reading, Path file, String tensor, String holds) {
    assertThatThrownBy(reading::run)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            file
                + ": tensor "
                + tensor
                + " of shape [128, 64] holds "
                + holds
                + " at row 17, column 5, wanted finite numbers: its training diverged, or the file"
                + " is damaged; take an earlier checkpoint or another copy");
  }

  private void refused(String holds) {
    refused(
        () -> Checkpoints.open(folder.toString(), HADOOP).close(),
        folder.resolve(HuggingFaceWeights.FILE),
        NAME,
        holds);
  }

  @Test
  void theFirstOfAMappedFileIsNamed() {
    assertThat(MappedFloats.isPossible()).isTrue();
    exported(Float.NaN, Float.POSITIVE_INFINITY);
    refused("NaN");
  }

  @Test
  void infinityIsNoNumberEither() {
    exported(Float.NEGATIVE_INFINITY, Float.NaN);
    refused("-Infinity");
  }

  @Test
  void theLargestAndTheSmallestNumbersAreFinite() {
    exported(Float.MAX_VALUE, -Float.MAX_VALUE, Float.MIN_VALUE, -0f);
    Checkpoints.open(folder.toString(), HADOOP).close();
  }

  /** By other means than our exporter, which writes floats. */
  @ParameterizedTest
  @ValueSource(strings = {"BF16", "F16"})
  void ofHalvesThatAreReadInStretches(String type) throws IOException {
    Path file = exported();
    byte[] floats = Files.readAllBytes(file);
    int headerBytes = (int) ByteBuffer.wrap(floats).order(ByteOrder.LITTLE_ENDIAN).getLong();
    ByteBuffer halves =
        ByteBuffer.allocate((int) LAYOUT.length() * 2).order(ByteOrder.LITTLE_ENDIAN);
    halves.putShort((int) PLACE * 2, (short) (type.equals("BF16") ? 0x7f80 : 0x7c00));
    StringBuilder header = new StringBuilder("{");
    for (HuggingFaceWeights.Slice slice : HuggingFaceWeights.slices(LAYOUT)) {
      header.append(
          "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
              .formatted(
                  header.length() > 1 ? "," : "",
                  slice.name(),
                  type,
                  slice.shape(),
                  2 * slice.offset(),
                  2 * (slice.offset() + slice.length())));
    }
    byte[] json = header.append("}").toString().getBytes();
    assertThat(headerBytes).isPositive();
    ByteBuffer whole =
        ByteBuffer.allocate(8 + json.length + halves.capacity()).order(ByteOrder.LITTLE_ENDIAN);
    whole.putLong(json.length).put(json).put(halves);
    Files.write(file, whole.array());
    refused("Infinity");
  }

  @Test
  void ofAGgufFileByItsOwnNameOfTheTensor() throws IOException {
    Path file = folder.resolve("model.gguf");
    try (Checkpoint model = model(Float.NaN)) {
      GgufWriter.write(file.toString(), HADOOP, model, GgufWriter.Weights.F32, Map.of());
    }
    refused(() -> Gguf.read(file.toString(), HADOOP), file, "blk.2.ffn_up.weight", "NaN");
  }

  @Test
  void ofALlama2cFile() throws IOException {
    Path file = folder.resolve("model.bin");
    try (Checkpoint model = model(Float.NaN)) {
      Llama2c.write(file.toString(), HADOOP, model, false);
    }
    refused(() -> Llama2c.read(file.toString(), HADOOP).close(), file, NAME, "NaN");
  }

  /** A scale that is no number makes its whole group wrong. */
  @Test
  void ofALlama2cFilesScales() throws IOException {
    Path file = folder.resolve("model.bin");
    try (Checkpoint model = model()) {
      Llama2c.write(file.toString(), HADOOP, model, true);
    }
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(bytes.length - 4, 0x7fc00000);
    Files.write(file, bytes);
    assertThatThrownBy(() -> Llama2c.read(file.toString(), HADOOP))
        .hasMessageContaining(
            NAME + " of shape [128, 64] holds NaN at row 127, column 0, wanted finite numbers");
  }

  @Test
  void theFirstTensorThatIsWrongIsNamedWhicheverThreadReadsIt() throws IOException {
    Path file = folder.resolve("model.gguf");
    float[] all = new float[(int) (LAYOUT.length() - PLACE)];
    Arrays.fill(all, Float.NaN);
    try (Checkpoint model = model(all)) {
      GgufWriter.write(file.toString(), HADOOP, model, GgufWriter.Weights.F32, Map.of());
    }
    for (int i = 0; i < 20; i++) {
      refused(() -> Gguf.read(file.toString(), HADOOP), file, "blk.2.ffn_up.weight", "NaN");
    }
  }

  @Test
  void ofAnOptimizersState() {
    CheckpointStore store = new CheckpointStore(folder.toString(), HADOOP);
    try (Checkpoint model = model();
        FloatPointer moments = new FloatPointer(LAYOUT.length())) {
      moments.put(new float[(int) LAYOUT.length()]);
      moments.put(PLACE, Float.NaN);
      store.save(
          3,
          new Checkpoint(
              CONFIG,
              SpecialTokens.none(),
              model.parameters(),
              Optional.of(new OptimizerState(List.of(moments), LAYOUT.length())),
              Optional.empty(),
              Map.of(),
              Map.of()));
    }
    assertThatThrownBy(() -> store.load(3))
        .hasMessageContaining("optimizer.safetensors: tensor ")
        .hasMessageContaining("holds NaN at row 0, column " + PLACE);
  }
}
