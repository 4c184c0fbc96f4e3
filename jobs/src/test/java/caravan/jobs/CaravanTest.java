package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CaravanTest {
  @TempDir Path folder;

  private static void isRefused(Said said, String paragraph) {
    assertThat(said.err()).isEqualTo(paragraph + "\n");
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.out()).isEmpty();
  }

  @Test
  void anUnknownCommandNamesTheNearest() {
    Said said = CommandLine.run("exprot");
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err()).startsWith("caravan: Unmatched argument").contains("export");
  }

  @Test
  void anUnknownKeyIsOneParagraphAndStatusTwo() {
    isRefused(
        CommandLine.run("inspect", "inptu=x"),
        "caravan inspect: inptu in the command line: unknown key. The nearest known one is input;"
            + " conf/reference.conf lists them all");
  }

  @Test
  void aWrongTypeIsOneParagraphAndStatusTwo() {
    isRefused(
        CommandLine.run("inspect", "input=x", "rows=many"),
        "caravan inspect: rows: got \"many\", wanted a whole number. First rows that inspect shows,"
            + " ≥ 0.");
  }

  @Test
  void aMissingKeyIsOneParagraphAndStatusTwo() {
    isRefused(
        CommandLine.run("export", "output=x"),
        "caravan export: checkpoint: not given. A model: a Hugging Face directory, a checkpoint, or a"
            + " training's output (its best checkpoint).");
  }

  @Test
  void aMissingInputIsOneParagraphAndStatusTwo() {
    isRefused(
        CommandLine.run("inspect", "input=" + folder.resolve("nothing")),
        "caravan inspect: input " + folder.resolve("nothing") + ": no such file or directory");
  }

  @Test
  void aStackTraceIsShownOnlyWhenAskedFor() throws IOException {
    Path broken = Files.writeString(folder.resolve("model.bin"), "no model");
    Said quiet = CommandLine.run("import", "input=" + broken, "output=" + folder.resolve("out"));
    assertThat(quiet.status()).isEqualTo(2);
    assertThat(quiet.err()).contains(broken + ": 8 bytes, too short").doesNotContain("\tat ");
    Said verbose =
        CommandLine.run(
            "import", "--verbose", "input=" + broken, "output=" + folder.resolve("out"));
    assertThat(verbose.err()).contains("too short", "\tat caravan.model.checkpoint.Llama2c");
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void aDryRunShowsTheResolvedSettingsAndTouchesNothing() {
    Said said =
        CommandLine.run("export", "--dry-run", "checkpoint=a", "output=" + folder.resolve("b"));
    assertThat(said.status()).isZero();
    assertThat(said.out()).contains("\"checkpoint\" : \"a\"", "\"output\" : \"" + folder);
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void withoutACommandTheUsageIsShown() {
    Said said = CommandLine.run();
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err()).contains("Usage: caravan", "inspect");
  }
}
