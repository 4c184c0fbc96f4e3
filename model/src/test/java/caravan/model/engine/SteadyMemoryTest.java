package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Once warm, a step takes no new memory, neither in the heap nor outside. */
class SteadyMemoryTest {
  private static final long MB = 1 << 20;

  /** The loss that a step returns, 32 bytes, and a thousandth of what it takes to measure. */
  private static final long RESULT = 64;

  @ParameterizedTest(name = "threads, bf16, recompute, dropout, documents per row, base: {0}")
  @CsvSource({
    "1 false false 0 1 none",
    "1 true true 0.1 2 none",
    "1 false false 0.1 1 F32",
    "1 true false 0 1 Q8_0"
  })
  void a_thousand_steps_take_no_more_memory(String arguments) throws Exception {
    long[] grew = grew(arguments.split(" "));
    assertThat(grew[0]).as("bytes of heap per step").isLessThanOrEqualTo(RESULT);
    assertThat(grew[1]).as("bytes outside the heap").isZero();
    assertThat(grew[2]).as("bytes of the process").isLessThan(16 * MB);
  }

  private static long[] grew(String[] arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Compiling in the background would leave it to the machine's load when a step is warm.
    command.addAll(List.of("-Xmx256m", "-Xbatch", "--add-modules=jdk.incubator.vector"));
    command.add("--add-exports=java.base/jdk.internal.vm.vector=ALL-UNNAMED");
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(SteadySteps.class.getName());
    command.addAll(List.of(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    String line = output.lines().filter(l -> l.startsWith("grew ")).findFirst().orElseThrow();
    return Arrays.stream(line.substring("grew ".length()).split(" "))
        .mapToLong(Long::parseLong)
        .toArray();
  }
}
