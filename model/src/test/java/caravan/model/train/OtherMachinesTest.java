package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Training on machines with less, each a JVM of its own, against training here. */
class OtherMachinesTest {

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource({
    "256 bits,   -XX:UseAVX=2 --add-modules=jdk.incubator.vector, vectors of 256 bits",
    "128 bits,   -XX:UseAVX=0 --add-modules=jdk.incubator.vector, vectors of 128 bits",
    "no module,  -Dnothing=else, several times slower: the module jdk.incubator.vector is missing",
  })
  void training_with_less_is_the_same_but_for_rounding(String what, String options, String told)
      throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(options.split(" ")));
    command.addAll(
        List.of(
            "-Xmx1g",
            "-cp",
            System.getProperty("java.class.path"),
            TrainingElsewhere.class.getName()));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    assertThat(output.split(told, -1)).as(output).hasSize(2);
    String line = output.lines().filter(l -> l.startsWith("losses ")).findFirst().orElseThrow();
    assertThat(output).contains("sum " + TrainingElsewhere.sum());
    String parts = output.lines().filter(l -> l.startsWith("memory ")).findFirst().orElseThrow();
    assertThat(parts.contains("activations")).isEqualTo(!what.equals("no module"));
    double[] got = numbers(line.substring("losses ".length()));
    assertThat(got).containsExactly(numbers(TrainingElsewhere.losses()), within(2e-4));
  }

  private static double[] numbers(String text) {
    return Arrays.stream(text.split(" ")).mapToDouble(Double::parseDouble).toArray();
  }
}
