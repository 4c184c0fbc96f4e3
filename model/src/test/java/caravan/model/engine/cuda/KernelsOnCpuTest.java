package caravan.model.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Compiles the CUDA kernels for the CPU, through {@code src/test/cpp/shim.h}, and compares each
 * with double arithmetic ({@code kernels_test.cpp}). A machine without g++ says so and leaves this
 * out.
 */
class KernelsOnCpuTest {
  @ParameterizedTest(name = "REAL_BF16={0}")
  @CsvSource({"1", "0"})
  void everyKernelEqualsDoubleArithmetic(int bfloat16, @TempDir Path folder)
      throws IOException, InterruptedException {
    assumeTrue(isOnPath("g++"), "no g++ on the path: the CUDA kernels are not tested");
    Path program = folder.resolve("kernels_test");
    assertThat(
            run(
                folder,
                "g++",
                "-O2",
                "-std=c++17",
                "-DREAL_BF16=" + bfloat16,
                "-Isrc/main/cuda",
                "-include",
                "src/test/cpp/shim.h",
                "src/test/cpp/kernels.cpp",
                "src/test/cpp/kernels_test.cpp",
                "-o",
                program.toString()))
        .isEmpty();
    assertThat(run(folder, program.toString()))
        .doesNotContain("WRONG", "FAILED")
        .endsWith("all kernels agree\n");
  }

  private static String run(Path folder, String... command)
      throws IOException, InterruptedException {
    Path log = folder.resolve("log.txt");
    Process process =
        new ProcessBuilder(List.of(command))
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    boolean ended = process.waitFor(5, TimeUnit.MINUTES);
    process.destroyForcibly();
    String output = Files.readString(log);
    assertThat(ended && process.exitValue() == 0).as(output).isTrue();
    return output;
  }

  private static boolean isOnPath(String program) {
    for (String folder : System.getenv("PATH").split(File.pathSeparator)) {
      if (Files.isExecutable(Path.of(folder, program))) {
        return true;
      }
    }
    return false;
  }
}
