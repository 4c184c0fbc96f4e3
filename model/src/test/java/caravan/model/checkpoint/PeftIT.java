package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real peft opens what we write: logits as those of its own files. */
class PeftIT {
  private static final Path ROOT = Path.of(System.getProperty("caravan.root"));
  private static final Path TESTS = ROOT.resolve("model/src/test");

  @Test
  void peftComputesTheSameLogitsFromOurFilesAsFromItsOwn(@TempDir Path folder)
      throws IOException, InterruptedException {
    Configuration hadoop = new Configuration();
    String base = TESTS.resolve("resources/golden/grouped-untied").toString();
    for (String name : List.of("all-linear", "rslora-saved")) {
      String theirs = TESTS.resolve("resources/golden-lora").resolve(name).toString();
      try (Checkpoint adapter =
          Checkpoints.adapters(theirs, hadoop, Optional.of(base)).orElseThrow()) {
        Checkpoints.export(folder.resolve(name).toString(), hadoop, adapter);
      }
    }
    String venv = run(ROOT.resolve("jobs/venv"), TESTS.resolve("python/requirements.txt"));
    String said =
        run(
            Path.of(venv.strip(), "bin/python"),
            TESTS.resolve("python/make_lora_golden.py"),
            "--check",
            folder);
    assertThat(said)
        .contains("all-linear: logits of what Caravan wrote differ by up to")
        .contains("rslora-saved: logits of what Caravan wrote differ by up to");
  }

  private static String run(Object... command) throws IOException, InterruptedException {
    List<String> words = Arrays.stream(command).map(Object::toString).toList();
    Process process =
        new ProcessBuilder(words).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String output = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).as(String.join(" ", words) + "\n" + output).isZero();
    return output;
  }
}
