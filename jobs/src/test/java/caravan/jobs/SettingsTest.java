package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class SettingsTest {
  private static Stream<Job<?>> jobs() {
    return Caravan.commands().getSubcommands().values().stream()
        .map(command -> (Job<?>) command.getCommand());
  }

  private static boolean isSettings(Path file) {
    return file.toString().endsWith(".conf") && !file.getParent().endsWith("spark");
  }

  private static ConfigKeys reference() {
    return new ConfigKeys(ConfigFactory.parseResources("reference.conf"));
  }

  @Test
  void everyKeyOfTheReferenceIsReadByACommandAndEveryKeyReadIsInIt() {
    TreeSet<String> read = new TreeSet<>();
    jobs().forEach(job -> read.addAll(ConfigLoader.keysOf(job.configType())));
    assertThat(read).containsExactlyElementsOf(new TreeSet<>(reference().all()));
  }

  @Test
  void everyConfigurationFileLoads() throws Exception {
    Path conf = Path.of(System.getProperty("caravan.root"), "conf");
    try (Stream<Path> files = Files.walk(conf)) {
      assertThat(files.filter(SettingsTest::isSettings).toList())
          .isNotEmpty()
          .allSatisfy(file -> ConfigLoader.of(List.of(file), List.of()));
    }
  }

  @Test
  void everyRecipeSetsWhatCleanReads() throws Exception {
    Path recipes = Path.of(System.getProperty("caravan.root"), "conf/recipes");
    try (Stream<Path> files = Files.list(recipes)) {
      assertThat(files.toList())
          .isNotEmpty()
          .allSatisfy(
              file -> {
                CleanJob.Config config =
                    ConfigLoader.of(List.of(file), List.of("input=raw", "output=out"))
                        .read(CleanJob.Config.class);
                assertThat(config.read().source()).isNotEmpty();
                assertThat(Files.readString(file))
                    .contains("jobs/caravan clean --config conf/recipes/" + file.getFileName());
              });
    }
  }

  @Test
  void pathsToFieldsAreGivenOnTheCommandLine() {
    CleanJob.Config config =
        ConfigLoader.of(
                List.of(),
                List.of(
                    "input=raw",
                    "output=out",
                    "text-field=[title, \"段落[].内容\"]",
                    "read.separator=\"\\n\\n\"",
                    "id-field=meta.id"))
            .read(CleanJob.Config.class);
    assertThat(config.read().textField()).containsExactly("title", "段落[].内容");
    assertThat(config.read().separator()).isEqualTo("\n\n");
    assertThat(config.read().idField()).isEqualTo("meta.id");
    assertThat(
            ConfigLoader.of(List.of(), List.of("input=raw", "output=out", "text-field=段落[].内容"))
                .read(CleanJob.Config.class)
                .read()
                .textField())
        .containsExactly("段落[].内容");
  }
}
