package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigLoaderTest {
  private static final Config REFERENCE =
      ConfigFactory.parseString(
          """
          # Raw files: a path or a list.
          input = null
          # empty: none
          checkpoint = null
          seed = 42
          train {
            # Optimizer steps; at least 1.
            steps = 1000
            learning-rate = 5e-4
            outer { kind = average }
          }
          train-tokenizer { vocab-size = 8 }
          # Weight per source; any source name.
          weights {}
          """);

  enum Kind {
    AVERAGE,
    NESTEROV
  }

  record Outer(Kind kind) {}

  record Train(int steps, double learningRate, Outer outer) {
    Train {
      if (steps < 1) {
        throw new IllegalArgumentException("train.steps: got " + steps + ", wanted at least 1");
      }
    }
  }

  record Settings(
      List<String> input,
      Optional<String> checkpoint,
      long seed,
      Train train,
      Map<String, Double> weights) {}

  record Seed(long seed) {}

  record Vocabulary(TrainTokenizer trainTokenizer) {}

  record TrainTokenizer(int vocabSize) {}

  @TempDir Path folder;

  private static ConfigLoader loader(List<Path> files, String... overrides) {
    return ConfigLoader.of(REFERENCE, files, List.of(overrides));
  }

  private static Settings read(String... overrides) {
    return loader(List.of(), overrides).read(Settings.class);
  }

  @Test
  void theCommandLineWinsOverFilesAndFilesOverTheReference() throws IOException {
    Path first =
        Files.writeString(
            folder.resolve("a.conf"), "input = [a, b], train { steps = 2, learning-rate = 1 }");
    Path second = Files.writeString(folder.resolve("b.conf"), "train.steps = 3");
    Settings settings =
        loader(List.of(first, second), "train.outer.kind=nesterov").read(Settings.class);
    assertThat(settings)
        .isEqualTo(
            new Settings(
                List.of("a", "b"),
                Optional.empty(),
                42,
                new Train(3, 1, new Outer(Kind.NESTEROV)),
                Map.of()));
  }

  @Test
  void valuesOnTheCommandLineAreTakenAsTheyAreUnlessTheyOpenWithABracketOrQuote() {
    assertThat(read("input=data/*.jsonl").input()).containsExactly("data/*.jsonl");
    assertThat(read("input=s3a://bucket/a b?c=d&e").input())
        .containsExactly("s3a://bucket/a b?c=d&e");
    assertThat(read("input=[x, \"y,z\"]").input()).containsExactly("x", "y,z");
    assertThat(read("input=x", "checkpoint=").checkpoint()).contains("");
    assertThat(read("input=x", "weights={wiki = 2, \"a.b\" = 0.5}").weights())
        .containsOnly(Map.entry("wiki", 2.0), Map.entry("a.b", 0.5));
  }

  @Test
  void anUnknownKeyIsNamedWithItsFileAndTheNearestKnownKey() throws IOException {
    Path file = Files.writeString(folder.resolve("typo.conf"), "train.stepz = 3");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> loader(List.of(file)))
        .withMessage(
            "train.stepz in %s: unknown key. The nearest known one is train.steps; conf/reference.conf lists them all"
                .formatted(file));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("learning-rate=3"))
        .withMessageContaining("nearest known one is train.learning-rate");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("train=3"))
        .withMessage(
            "train in the command line: got 3, wanted a section of keys such as train.learning-rate");
  }

  @Test
  void aWrongTypeIsShownWithWhatWasWantedAndWhatTheReferenceSays() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("input=x", "train.steps=many"))
        .withMessage(
            "train.steps: got \"many\", wanted a whole number. Optimizer steps; at least 1.");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("input=x", "train.steps=2.5"))
        .withMessageContaining("train.steps: got \"2.5\", wanted a whole number");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("input=x", "train.outer.kind=sum"))
        .withMessageContaining("train.outer.kind: got \"sum\", wanted one of average, nesterov");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("input=x", "train.outer=[1]"))
        .withMessageContaining("wanted a section of keys");
  }

  @Test
  void aMissingKeyIsExplainedByTheReferencesComment() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read())
        .withMessage("input: not given. Raw files: a path or a list.");
  }

  @Test
  void aRecordsOwnRefusalIsPassedOnAsItIs() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("input=x", "train.steps=0"))
        .withMessage("train.steps: got 0, wanted at least 1");
  }

  @Test
  void aKeyThatTheCommandDoesNotReadIsRefusedOnTheCommandLineOnly() throws IOException {
    Path shared = Files.writeString(folder.resolve("shared.conf"), "train.steps = 3, seed = 7");
    assertThat(loader(List.of(shared)).read(Seed.class)).isEqualTo(new Seed(7));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> loader(List.of(), "train.steps=3").read(Seed.class))
        .withMessage("train.steps: this command does not read it. It reads seed");
  }

  @Test
  void someKeysMayBeWrittenShort() throws IOException {
    Path file = Files.writeString(folder.resolve("short.conf"), "vocab-size = 100");
    assertThat(loader(List.of(file)).read(Vocabulary.class).trainTokenizer().vocabSize())
        .isEqualTo(100);
    assertThat(loader(List.of(file), "vocab-size=200").read(Vocabulary.class).trainTokenizer())
        .isEqualTo(new TrainTokenizer(200));
  }

  @Test
  void sparkKeysStandApartAndMayBePrefixesOfEachOther() throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("spark.conf"), "spark { executor.memory = 1g, executor.cores = 3 }");
    ConfigLoader loader =
        loader(
            List.of(file),
            "spark.executor.memory=2g",
            "spark.speculation=true",
            "spark.speculation.interval=1s",
            "input=x");
    assertThat(loader.sparkProperties())
        .containsOnly(
            Map.entry("spark.executor.memory", "2g"),
            Map.entry("spark.executor.cores", "3"),
            Map.entry("spark.speculation", "true"),
            Map.entry("spark.speculation.interval", "1s"));
    assertThat(loader.read(Settings.class).input()).containsExactly("x");
  }

  @Test
  void whatIsNoSettingAtAllIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("steps"))
        .withMessageStartingWith("steps: wanted KEY=VALUE");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("input=[a"))
        .withMessageStartingWith("input=[a: ");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> loader(List.of(Path.of("nowhere.conf"))))
        .withMessageStartingWith("--config nowhere.conf: no such file in ");
  }

  @Test
  void settingsGoBackToTheirKeys() {
    assertThat(ConfigLoader.asMap(read("input=x")))
        .containsKeys("input", "checkpoint", "seed", "train", "weights")
        .extractingByKey("train")
        .asInstanceOf(org.assertj.core.api.InstanceOfAssertFactories.MAP)
        .containsKeys("learning-rate", "steps", "outer");
    assertThat(ConfigLoader.keysOf(Settings.class))
        .containsExactly(
            "input",
            "checkpoint",
            "seed",
            "train.steps",
            "train.learning-rate",
            "train.outer.kind",
            "weights");
  }
}
