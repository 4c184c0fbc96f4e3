package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.LlamaConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointStoreTest {
  private static final LlamaConfig CONFIG = TinyLlama.TIED;

  @TempDir Path output;
  private CheckpointStore store;

  @BeforeEach
  void makeStore() {
    store = new CheckpointStore(output.toString(), new Configuration());
  }

  @Test
  void everythingThatWasSavedComesBackExactly() {
    try (Checkpoint saved = TinyLlama.checkpoint(CONFIG, 1)) {
      String path = store.save(400, saved);
      assertThat(path).endsWith("checkpoints/step-00000400");

      CheckpointStore.Found found = store.latest().orElseThrow();
      try (Checkpoint loaded = found.checkpoint()) {
        assertThat(found.step()).isEqualTo(400);
        assertThat(found.path()).isEqualTo(path);
        assertThat(found.skipped()).isEmpty();
        assertThat(loaded.config()).isEqualTo(CONFIG);
        assertThat(loaded.specialTokens()).isEqualTo(SpecialTokens.of(1, 2));
        assertThat(TinyLlama.floats(loaded.parameters(), CONFIG))
            .isEqualTo(TinyLlama.floats(saved.parameters(), CONFIG));
        assertThat(TinyLlama.floats(loaded.moments().orElseThrow().vectors().get(0), CONFIG))
            .isEqualTo(TinyLlama.floats(saved.moments().orElseThrow().vectors().get(0), CONFIG));
        assertThat(TinyLlama.floats(loaded.moments().orElseThrow().vectors().get(1), CONFIG))
            .isEqualTo(TinyLlama.floats(saved.moments().orElseThrow().vectors().get(1), CONFIG));
        assertThat(TinyLlama.floats(loaded.outerMomentum().orElseThrow(), CONFIG))
            .isEqualTo(TinyLlama.floats(saved.outerMomentum().orElseThrow(), CONFIG));
        assertThat(loaded.state()).isEqualTo(saved.state());
        assertThat(loaded.tokenizerFiles()).containsOnlyKeys("tokenizer.model");
        assertThat(loaded.tokenizerFiles().get("tokenizer.model"))
            .isEqualTo(new byte[] {10, 11, 12});
      }
    }
  }

  @Test
  void theDirectoryHoldsHuggingFacesFilesAndNoSideFiles() throws IOException {
    save(400);
    assertThat(names(output.resolve("checkpoints"))).containsExactly("latest", "step-00000400");
    assertThat(names(step(400)))
        .containsExactly(
            "caravan",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.model");
    assertThat(names(step(400).resolve("caravan")))
        .containsExactly(
            "manifest.json", "optimizer.safetensors", "outer.safetensors", "state.json");
    assertThat(output.resolve("checkpoints/latest")).hasContent("step-00000400\n");
  }

  @Test
  void anEmptyDirectoryHasNoCheckpoint() {
    assertThat(store.latest()).isEmpty();
    assertThat(store.best()).isEmpty();
    assertThat(store.steps()).isEmpty();
  }

  @Test
  void aDamagedNewestCheckpointIsPassedOverAndNamed() throws IOException {
    save(100);
    save(200);
    flipByte(step(200).resolve("model.safetensors"));
    CheckpointStore.Found found = store.latest().orElseThrow();
    found.checkpoint().close();
    assertThat(found.step()).isEqualTo(100);
    assertThat(found.skipped())
        .singleElement()
        .asString()
        .contains("step-00000200/model.safetensors: sha256 ")
        .contains(", manifest says ");
  }

  @Test
  void aTruncatedOptimizerIsDamageToTrainingButNotToEvaluation() throws IOException {
    save(100);
    Path file = step(100).resolve("caravan/optimizer.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, java.util.Arrays.copyOf(bytes, bytes.length - 5));
    assertThatThrownBy(() -> store.load(100))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "optimizer.safetensors: "
                + (bytes.length - 5)
                + " bytes, manifest says "
                + bytes.length
                + "; finished checkpoints are of steps [100]");
    Checkpoints.open(step(100).toString(), new Configuration()).close();
  }

  @Test
  void whenAllAreDamagedItSaysSoInsteadOfStartingOver() throws IOException {
    save(100);
    Files.delete(step(100).resolve("config.json"));
    assertThatThrownBy(() -> store.latest())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("every checkpoint in")
        .hasMessageContaining("config.json: listed in caravan/manifest.json, but missing");
  }

  @Test
  void aCorruptManifestIsDamage() throws IOException {
    save(100);
    save(200);
    Files.writeString(step(200).resolve("caravan/manifest.json"), "{\"files\": {");
    CheckpointStore.Found found = store.latest().orElseThrow();
    found.checkpoint().close();
    assertThat(found.step()).isEqualTo(100);
    assertThat(found.skipped().get(0)).contains("manifest.json is not JSON");
  }

  @Test
  void anInterruptedCheckpointIsIgnoredAndCleanedUp() throws IOException {
    save(100);
    save(200);
    Files.delete(step(200).resolve("caravan/manifest.json"));
    assertThat(store.steps()).containsExactly(100L);
    CheckpointStore.Found found = store.latest().orElseThrow();
    found.checkpoint().close();
    assertThat(found.step()).isEqualTo(100);
    assertThat(found.skipped()).isEmpty();
    assertThatThrownBy(() -> Checkpoints.open(step(200).toString(), new Configuration()))
        .hasMessageContaining(
            "no caravan/manifest.json: its writing was interrupted; choose another checkpoint");
    assertThat(store.prune(200, 5, 0)).containsExactly(200L);
    assertThat(step(200)).doesNotExist();
  }

  @Test
  void savingAStepAgainReplacesIt() {
    save(100);
    try (Checkpoint other = TinyLlama.checkpoint(TinyLlama.UNTIED, 9)) {
      store.save(100, other);
      try (Checkpoint loaded = store.load(100)) {
        assertThat(loaded.config()).isEqualTo(TinyLlama.UNTIED);
      }
    }
  }

  @Test
  void pruningKeepsTheNewestAndTheBest() {
    for (long step : List.of(100, 200, 300, 400)) {
      save(step);
    }
    store.markBest(200);
    assertThat(store.prune(400, 1, 0)).containsExactly(100L, 300L);
    assertThat(store.steps()).containsExactly(200L, 400L);
    assertThat(store.best()).isEqualTo(OptionalLong.of(200));
    assertThatThrownBy(() -> store.prune(400, 0, 0))
        .hasMessage("keep-last: got 0, wanted at least 1");
  }

  @Test
  void anUnfinishedStepCannotBeBest() {
    assertThatThrownBy(() -> store.markBest(300))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("step-00000300 as best: it is not a finished checkpoint");
  }

  @Test
  void aGarbledBestFileIsRefused() throws IOException {
    save(100);
    Files.writeString(output.resolve("checkpoints/best"), "the second\n");
    assertThatThrownBy(() -> store.best())
        .hasMessageContaining("best: got \"the second\", wanted the name of a checkpoint");
  }

  @Test
  void aTokenizerFileMayNotReplaceTheModel() {
    try (Checkpoint c = TinyLlama.checkpoint(CONFIG, 1)) {
      Checkpoint bad =
          new Checkpoint(
              c.config(),
              c.specialTokens(),
              c.parameters(),
              c.moments(),
              c.outerMomentum(),
              c.state(),
              java.util.Map.of("config.json", new byte[1]));
      assertThatThrownBy(() -> store.save(1, bad))
          .hasMessageContaining("tokenizer file config.json: wanted a plain file name");
      assertThat(store.steps()).isEmpty();
    }
  }

  @Test
  void aModelWithoutTrainingStateIsSavedButCannotBeResumed() {
    try (Checkpoint c = TinyLlama.checkpoint(CONFIG, 1)) {
      Checkpoint model =
          Checkpoint.ofModel(c.config(), c.specialTokens(), c.parameters(), c.tokenizerFiles());
      store.save(0, model);
      assertThatThrownBy(() -> Checkpoints.resume(output.toString(), new Configuration()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("holds a model but no optimizer state to resume from");
    }
  }

  private void save(long step) {
    try (Checkpoint checkpoint = TinyLlama.checkpoint(CONFIG, step)) {
      store.save(step, checkpoint);
    }
  }

  private Path step(long step) {
    return output.resolve(String.format("checkpoints/step-%08d", step));
  }

  private static List<String> names(Path directory) throws IOException {
    try (var files = Files.list(directory)) {
      return files.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  private static void flipByte(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
  }
}
