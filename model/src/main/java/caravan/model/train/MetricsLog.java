package caravan.model.train;

import caravan.model.checkpoint.AppendedFile;
import caravan.model.checkpoint.Directory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
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

  /** Begins anew. */
  MetricsLog(String output, Configuration hadoop) {
    this(Directory.of(output, hadoop));
    file.replace(out -> {});
    events.replace(out -> out.write(TensorBoard.header()));
  }

  private MetricsLog(Directory directory) {
    file = new AppendedFile(directory, FILE);
    events = new AppendedFile(directory, EVENTS);
  }

  /**
   * Goes on from the lines of a checkpoint.
   *
   * @param from the output of the training that the checkpoint is of
   * @param step of the checkpoint: later lines are left out
   * @param seen shown each line that stays
   */
  static MetricsLog resumed(
      String output, Configuration hadoop, String from, int step, Consumer<Metrics> seen) {
    MetricsLog log = new MetricsLog(Directory.of(output, hadoop));
    Directory source = Directory.of(from, hadoop);
    log.file.replace(
        lines ->
            log.events.replace(
                points -> {
                  points.write(TensorBoard.header());
                  scan(
                      source,
                      (raw, line) -> {
                        if (line.step() <= step) {
                          seen.accept(line);
                          log.last = line;
                          lines.write(raw);
                          points.write(TensorBoard.events(List.of(line)));
                        }
                      });
                }));
    return log;
  }

  private interface Line {
    void accept(byte[] raw, Metrics line) throws IOException;
  }

  /**
   * Metrics of a training, or none where there are none yet. A last line that a crash cut off is
   * left out.
   *
   * @throws IllegalStateException when another line is broken
   */
  public static List<Metrics> read(String output, Configuration hadoop) {
    List<Metrics> lines = new ArrayList<>();
    scan(Directory.of(output, hadoop), (raw, line) -> lines.add(line));
    return lines;
  }

  /** As many of them as pictures need, however many there are. */
  public static List<Metrics> sampled(String output, Configuration hadoop) {
    MetricsSample sample = new MetricsSample();
    scan(Directory.of(output, hadoop), (raw, line) -> sample.add(line));
    return sample.lines();
  }

  /** Reads line by line. */
  private static void scan(Directory directory, Line each) {
    try (InputStream in = new BufferedInputStream(new AppendedFile(directory, FILE).open())) {
      ByteArrayOutputStream line = new ByteArrayOutputStream();
      int number = 1;
      for (int next = in.read(); next >= 0; next = in.read()) {
        line.write(next);
        if (next == '\n') {
          byte[] raw = line.toByteArray();
          each.accept(raw, parsed(raw, number++, directory.path(FILE)));
          line.reset();
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(
          "cannot read " + directory.path(FILE) + ": " + e.getMessage(), e);
    }
  }

  private static Metrics parsed(byte[] raw, int number, String path) {
    String line = new String(raw, StandardCharsets.UTF_8).strip();
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
