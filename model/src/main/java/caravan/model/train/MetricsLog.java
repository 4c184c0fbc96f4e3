package caravan.model.train;

import caravan.model.checkpoint.AppendedFile;
import caravan.model.checkpoint.Directory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;

/**
 * The training's metrics.jsonl and TensorBoard events, both appended to once a round. A resumed run
 * takes back the lines after its checkpoint: no step is there twice, and none is missing, because a
 * round's lines are written before its checkpoint is.
 */
public final class MetricsLog {
  private static final String FILE = "metrics.jsonl";
  private static final String EVENTS = "events.out.tfevents.1.caravan";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final AppendedFile file;
  private final AppendedFile events;
  private final List<Metrics> pending = new ArrayList<>();
  private Metrics last;

  /**
   * @param output the training's output directory
   * @param kept the lines that it begins with
   */
  MetricsLog(String output, Configuration hadoop, List<Metrics> kept) {
    Directory directory = Directory.of(output, hadoop);
    file = new AppendedFile(directory, FILE);
    events = new AppendedFile(directory, EVENTS);
    file.replace(text(kept));
    ByteArrayOutputStream begun = new ByteArrayOutputStream();
    begun.writeBytes(TensorBoard.header());
    begun.writeBytes(TensorBoard.events(kept));
    events.replace(begun.toByteArray());
    last = kept.isEmpty() ? null : kept.get(kept.size() - 1);
  }

  /**
   * Metrics of a training, or none where there are none yet. A last line that a crash cut off is
   * left out.
   *
   * @throws IllegalStateException when another line is broken
   */
  public static List<Metrics> read(String output, Configuration hadoop) {
    Directory directory = Directory.of(output, hadoop);
    String text = new String(new AppendedFile(directory, FILE).bytes(), StandardCharsets.UTF_8);
    List<Metrics> lines = new ArrayList<>();
    for (String line : text.substring(0, text.lastIndexOf('\n') + 1).split("\n")) {
      if (!line.isBlank()) {
        lines.add(parsed(line, lines.size() + 1, directory.path(FILE)));
      }
    }
    return lines;
  }

  private static Metrics parsed(String line, int number, String path) {
    try {
      return JSON.readValue(line, Metrics.class);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(
          path + ": broken line " + number + ": " + line + "; delete the file to go on", e);
    }
  }

  /** Whether there is no line yet. */
  boolean isEmpty() {
    return last == null;
  }

  /** The newest line. */
  Metrics last() {
    return last;
  }

  /** Adds a line, which {@link #flush} writes. */
  void add(Metrics line) {
    pending.add(line);
    last = line;
  }

  /** Replaces the last line, which is not written yet. */
  void replaceLast(Metrics line) {
    pending.set(pending.size() - 1, line);
    last = line;
  }

  /** Writes what was added; on return it is there to stay. */
  void flush() {
    if (!pending.isEmpty()) {
      file.append(text(pending));
      events.append(TensorBoard.events(pending));
      pending.clear();
    }
  }

  /** Makes both whole for other programs, where the file system cannot append. */
  void gather() {
    file.gather();
    events.gather();
  }

  private static byte[] text(List<Metrics> lines) {
    StringBuilder text = new StringBuilder();
    for (Metrics line : lines) {
      text.append(json(line)).append('\n');
    }
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static String json(Metrics line) {
    try {
      return JSON.writeValueAsString(line);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
