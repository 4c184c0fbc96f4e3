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
    return new picocli.CommandLine(Caravan.command())
        .getSubcommands().values().stream().map(command -> (Job<?>) command.getCommand());
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
}
