import caravan.pipeline.tokenize.Encoder;
import caravan.pipeline.tokenize.TokenBuffer;
import caravan.pipeline.tokenize.Tokenizer;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * Encodes the lines of a file again and again in one thread: fast and spark_nlp in the benchmark
 * encode. ENCODER MODEL LINES IDS SECONDS: writes each line's ids to a file, then prints the seconds
 * of each pass over the lines; the first passes are those of a cold JVM.
 */
class Encodes {
  public static void main(String[] args) throws Exception {
    byte[] model = Files.readAllBytes(Path.of(args[1]));
    Tokenizer tokenizer = Encoder.valueOf(args[0].toUpperCase(Locale.ROOT)).open(model, args[1]);
    List<String> lines = Files.readAllLines(Path.of(args[2]), StandardCharsets.UTF_8);
    write(tokenizer, lines, Path.of(args[3]));
    TokenBuffer ids = new TokenBuffer();
    long end = System.nanoTime() + (long) (Double.parseDouble(args[4]) * 1e9);
    do {
      long start = System.nanoTime();
      for (String line : lines) {
        ids.clear();
        tokenizer.encodeTo(line, ids);
      }
      System.out.println("pass " + (System.nanoTime() - start) / 1e9);
    } while (System.nanoTime() < end);
  }

  private static void write(Tokenizer tokenizer, List<String> lines, Path file) throws Exception {
    try (DataOutputStream out =
        new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file)))) {
      for (String line : lines) {
        int[] ids = tokenizer.encode(line);
        out.writeInt(ids.length);
        for (int id : ids) out.writeInt(id);
      }
    }
  }
}
