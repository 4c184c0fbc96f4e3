package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Decoding on machines with less, each a JVM of its own, against decoding here. */
class DecodingOnOtherMachinesTest {
  private static final String EXPORT = "--add-exports=java.base/jdk.internal.vm.vector=ALL-UNNAMED";

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource({
    "256 bits,      -XX:UseAVX=2, 'this JVM has vectors of 256 bits, wanted 512'",
    "128 bits,      -XX:UseAVX=0, 'this JVM has vectors of 128 bits, wanted 512'",
    "no temporary files, -Djava.io.tmpdir=/nonexistent, by the Vector API alone",
  })
  void logits_with_less_are_the_same_but_for_rounding(String what, String option, String told)
      throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--add-modules=jdk.incubator.vector", EXPORT, option, "-Xmx1g", "-cp"));
    command.add(System.getProperty("java.class.path"));
    command.add(DecodingElsewhere.class.getName());
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    assertThat(output.split(told, -1)).as(output).hasSize(2);
    String line = output.lines().filter(l -> l.startsWith("logits ")).findFirst().orElseThrow();
    double[] got = numbers(line.substring("logits ".length()));
    double tolerance = option.contains("UseAVX") ? 2e-5 : 0;
    assertThat(got).containsExactly(numbers(DecodingElsewhere.logits()), within(tolerance));
  }

  private static double[] numbers(String text) {
    return Arrays.stream(text.split(" ")).mapToDouble(Double::parseDouble).toArray();
  }
}
