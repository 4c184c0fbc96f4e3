package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.LlamaConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointsTest {
  private static final LlamaConfig CONFIG = TinyLlama.UNTIED;

  private final Configuration hadoop = new Configuration();
  @TempDir Path folder;

  @Test
  void aPlainHuggingFaceDirectoryOpensWithItsTokenizerFiles() {
    try (Checkpoint saved = TinyLlama.checkpoint(CONFIG, 1)) {
      Checkpoints.export(folder.toString(), hadoop, saved);
      assertThat(folder.resolve("caravan")).doesNotExist();
      try (Checkpoint opened = Checkpoints.open(folder.toString(), hadoop)) {
        assertThat(opened.config()).isEqualTo(CONFIG);
        assertThat(opened.moments()).isEmpty();
        assertThat(opened.state()).isEmpty();
        assertThat(opened.tokenizerFiles()).containsOnlyKeys("tokenizer.model");
        assertThat(TinyLlama.floats(opened.parameters(), CONFIG))
            .isEqualTo(TinyLlama.floats(saved.parameters(), CONFIG));
      }
    }
  }

  @Test
  void aRunsOutputOpensAtItsBestCheckpointElseItsNewest() {
    CheckpointStore store = new CheckpointStore(folder.toString(), hadoop);
    save(store, 100);
    save(store, 200);
    for (Path path : new Path[] {folder, folder.resolve("checkpoints")}) {
      assertThat(firstParameter(path)).isEqualTo(firstOf(200));
    }
    store.markBest(100);
    for (Path path : new Path[] {folder, folder.resolve("checkpoints")}) {
      assertThat(firstParameter(path)).isEqualTo(firstOf(100));
    }
    assertThat(firstParameter(folder.resolve("checkpoints/step-00000200"))).isEqualTo(firstOf(200));
    try (Checkpoint resumed = Checkpoints.resume(folder.toString(), hadoop)) {
      assertThat(resumed.parameters().get(0)).isEqualTo(firstOf(200));
      assertThat(resumed.moments()).isPresent();
    }
  }

  @Test
  void aMissingPathAndAForeignDirectorySayWhatIsWanted() throws IOException {
    String missing = folder.resolve("nowhere").toString();
    assertThatThrownBy(() -> Checkpoints.open(missing, hadoop))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            missing
                + " does not exist, wanted a Hugging Face model directory, a checkpoint, or the"
                + " output of pretrain or sft");
    Files.writeString(folder.resolve("readme.txt"), "nothing here");
    assertThatThrownBy(() -> Checkpoints.open(folder.toString(), hadoop))
        .hasMessageContaining(
            "no config.json and no adapter_config.json in it, wanted a Hugging Face model");
  }

  @Test
  void aConfigWithoutWeightsIsRefused() throws IOException {
    Files.write(
        folder.resolve("config.json"),
        HuggingFaceConfig.configJson(CONFIG, SpecialTokens.of(1, 2)));
    assertThatThrownBy(() -> Checkpoints.open(folder.toString(), hadoop))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no model.safetensors and no pytorch_model.bin in it");
  }

  @Test
  void aRunThatNeverFinishedACheckpointSaysSo() throws IOException {
    Files.createDirectories(folder.resolve("checkpoints/step-00000100/caravan"));
    assertThatThrownBy(() -> Checkpoints.open(folder.toString(), hadoop))
        .hasMessageContaining("training has not finished its first checkpoint; run it again");
  }

  @Test
  void parametersOfAnotherModelAreRefusedBeforeAnythingIsWritten() {
    try (FloatPointer short1 = new FloatPointer(5L)) {
      assertThatThrownBy(
              () -> Checkpoint.ofModel(CONFIG, SpecialTokens.none(), short1, java.util.Map.of()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageMatching("parameters: got 5 floats, wanted \\d+ by the model's shape");
    }
  }

  private void save(CheckpointStore store, long step) {
    try (Checkpoint checkpoint = TinyLlama.checkpoint(CONFIG, step)) {
      store.save(step, checkpoint);
    }
  }

  private float firstParameter(Path path) {
    try (Checkpoint checkpoint = Checkpoints.open(path.toString(), hadoop)) {
      return checkpoint.parameters().get(0);
    }
  }

  private static float firstOf(long seed) {
    try (FloatPointer parameters = TinyLlama.random(CONFIG, seed)) {
      return parameters.get(0);
    }
  }
}
