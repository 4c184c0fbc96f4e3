package caravan.model.train;

import caravan.model.checkpoint.Directory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;

/**
 * The training's metrics.jsonl and TensorBoard events. Both are replaced whole at each flush,
 * because object stores cannot append; a resumed run keeps the lines up to its checkpoint.
 */
public final class MetricsLog {
  private static final String FILE = "metrics.jsonl";
  private static final String EVENTS = "events.out.tfevents.1.caravan";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Directory output;
  private final List<Metrics> lines;

  /**
   * @param output the training's output directory
   * @param step lines of later steps are forgotten
   */
  MetricsLog(String output, Configuration hadoop, int step) {
    this.output = Directory.of(output, hadoop);
    lines =
        read(this.output).stream()
            .filter(line -> line.step() <= step)
            .collect(Collectors.toCollection(ArrayList::new));
  }

  /** Metrics of a training, or none where there are none yet. */
  public static List<Metrics> read(String output, Configuration hadoop) {
    return read(Directory.of(output, hadoop));
  }

  void add(Metrics line) {
    lines.add(line);
  }

  /** Adds the validation loss to the last line. */
  void validated(double loss) {
    lines.set(lines.size() - 1, lines.get(lines.size() - 1).withValidationLoss(loss));
  }

  List<Metrics> lines() {
    return List.copyOf(lines);
  }

  void flush() {
    StringBuilder text = new StringBuilder();
    TensorBoard events = new TensorBoard();
    for (Metrics line : lines) {
      text.append(json(line)).append('\n');
      events.scalar("loss/train", line.loss(), line.step(), line.time());
      events.scalar("loss/validation", line.validationLoss(), line.step(), line.time());
      events.scalar("learning_rate", line.learningRate(), line.step(), line.time());
      events.scalar("gradient_norm", line.gradientNorm(), line.step(), line.time());
      events.scalar("tokens_per_second", line.tokensPerSecond(), line.step(), line.time());
    }
    output.replace(FILE, text.toString().getBytes(StandardCharsets.UTF_8));
    output.replace(EVENTS, events.bytes());
  }

  private static List<Metrics> read(Directory output) {
    List<Metrics> lines = new ArrayList<>();
    if (output.exists(FILE)) {
      for (String line : new String(output.bytes(FILE), StandardCharsets.UTF_8).split("\n")) {
        if (!line.isBlank()) {
          try {
            lines.add(JSON.readValue(line, Metrics.class));
          } catch (JsonProcessingException e) {
            throw new IllegalStateException(
                output.path(FILE)
                    + ": broken line "
                    + (lines.size() + 1)
                    + ": "
                    + line
                    + "; delete the file to go on",
                e);
          }
        }
      }
    }
    return lines;
  }

  private static String json(Metrics line) {
    try {
      return JSON.writeValueAsString(line);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
