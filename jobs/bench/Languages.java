import caravan.pipeline.text.LanguageDetector;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The language of each line of a file, one a line: ours in the benchmark {@code language}. */
class Languages {
  public static void main(String[] args) throws Exception {
    List<String> lines = Files.readAllLines(Path.of(args[0]), StandardCharsets.UTF_8);
    LanguageDetector detector = new LanguageDetector();
    StringBuilder out = new StringBuilder();
    for (String line : lines) {
      out.append(detector.detect(line)).append('\n');
    }
    new PrintStream(System.out, true, StandardCharsets.UTF_8).print(out);
  }
}
