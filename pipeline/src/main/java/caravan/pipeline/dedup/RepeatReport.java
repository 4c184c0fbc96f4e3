package caravan.pipeline.dedup;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import caravan.pipeline.Documents;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.util.SerializableConfiguration;

/**
 * What text is repeated in a deduplicated corpus, and where: {@code repeats/*.jsonl}, a {@link
 * Line} for each repeat of each document, written by the tasks that read them, and {@code
 * repeats.json}, written last, which lists these files and the most frequent repeats.
 *
 * @param files relative to the output
 * @param repeats lines in all files
 * @param frequent the most frequent ones, each text once
 */
public record RepeatReport(List<String> files, long repeats, List<Line> frequent) {
  public static final String FILE = "repeats.json";

  private static final String FOLDER = "repeats";

  /** Repeats that are listed as the most frequent ones. */
  private static final int FREQUENT = 50;

  /**
   * A repeat of a document.
   *
   * @param id of the document
   * @param kind {@code repeated_lines} (or paragraphs) or {@code repeated_passages}
   */
  public record Line(String id, String source, String kind, Repeat repeat) implements Serializable {
    private static final Comparator<Line> ORDER =
        Comparator.comparingLong((Line line) -> -line.repeat.documents())
            .thenComparing(line -> -line.length())
            .thenComparing(Line::kind)
            .thenComparing(line -> line.repeat.first())
            .thenComparing(line -> line.repeat.firstStart())
            .thenComparing(Line::id)
            .thenComparing(Line::source)
            .thenComparing(line -> line.repeat.start());

    private int length() {
      return repeat.end() - repeat.start();
    }

    /** Whether both are, as far as one can tell, of one text. */
    private boolean overlaps(Line other) {
      return repeat.first().equals(other.repeat.first())
          && repeat.firstStart() < other.repeat.firstStart() + other.length()
          && other.repeat.firstStart() < repeat.firstStart() + length();
    }
  }

  private record Part(String file, long repeats, List<Line> frequent) implements Serializable {}

  /** Whether an output has its report. */
  public static boolean exists(Storage storage, String output) {
    return storage.exists(new Path(output, FILE));
  }

  /**
   * Reads what {@code meta} of a finished output's documents tells, and writes the report. The
   * driver holds the most frequent ones.
   */
  public static RepeatReport write(SparkSession spark, String output, DedupConfig config) {
    var hadoop = spark.sparkContext().hadoopConfiguration();
    Storage storage = new Storage(hadoop);
    Path directory = storage.qualify(new Path(output));
    String[] files = documents(Manifest.read(hadoop, directory, Manifest.DOCUMENTS), directory);
    SerializableConfiguration conf = new SerializableConfiguration(hadoop);
    String target = directory.toString();
    List<Part> parts =
        files.length == 0
            ? List.of()
            : spark
                .read()
                .schema(Documents.SCHEMA)
                .option("__globPaths__", "false")
                .parquet(files)
                .select(
                    col("id"),
                    col("source"),
                    told(Repeat.LINES_META, config.lines().action()),
                    told(Repeat.PASSAGES_META, config.substrings().action()))
                .toJavaRDD()
                .mapPartitions(
                    rows -> List.of(part(rows, new Storage(conf.value()), target)).iterator())
                .collect();
    RepeatReport report =
        new RepeatReport(
            parts.stream().filter(p -> p.repeats > 0).map(Part::file).sorted().toList(),
            parts.stream().mapToLong(Part::repeats).sum(),
            frequent(parts.stream().flatMap(p -> p.frequent.stream()).toList()));
    storage.writeAtomically(new Path(directory, FILE), Json.bytes(report));
    deleteExcept(storage, directory, Set.copyOf(report.files));
    return report;
  }

  /** What the run told; an earlier one may have told of what this one did not look for. */
  private static Column told(String meta, RepeatAction action) {
    return action == RepeatAction.OFF
        ? lit(null).cast(DataTypes.StringType)
        : col("meta").getItem(meta);
  }

  private static String[] documents(Manifest manifest, Path directory) {
    return manifest.files().stream()
        .map(Manifest.OutputFile::path)
        .filter(path -> path.startsWith("data/") || path.startsWith("dropped/reason=repeated_"))
        .map(path -> new Path(directory, path).toString())
        .toArray(String[]::new);
  }

  private static Part part(Iterator<Row> rows, Storage storage, String directory)
      throws IOException {
    String file = FOLDER + "/part-" + UUID.randomUUID() + ".jsonl";
    List<Line> frequent = new ArrayList<>();
    long repeats = 0;
    OutputStream out = null;
    try {
      while (rows.hasNext()) {
        for (Line line : lines(rows.next())) {
          out =
              out != null
                  ? out
                  : new BufferedOutputStream(storage.create(new Path(directory, file)));
          out.write((Json.compact(line) + "\n").getBytes(StandardCharsets.UTF_8));
          repeats++;
          frequent.add(line);
        }
        frequent = frequent.size() < 20 * FREQUENT ? frequent : frequent(frequent);
      }
    } finally {
      if (out != null) {
        out.close();
      }
    }
    return new Part(file, repeats, frequent(frequent));
  }

  private static List<Line> lines(Row row) {
    List<Line> lines = new ArrayList<>();
    for (int i = 2; i < row.length(); i++) {
      if (!row.isNullAt(i)) {
        String kind = i == 2 ? Repeat.LINES_META : Repeat.PASSAGES_META;
        for (Repeat repeat : Repeat.ofJson(row.getString(i))) {
          lines.add(new Line(row.getString(0), row.getString(1), kind, repeat));
        }
      }
    }
    return lines;
  }

  /** The most frequent ones; of those of one text the most frequent, longest one. */
  private static List<Line> frequent(List<Line> lines) {
    List<Line> sorted = new ArrayList<>(lines);
    sorted.sort(Line.ORDER);
    List<Line> frequent = new ArrayList<>();
    for (Line line : sorted) {
      if (frequent.size() < FREQUENT && frequent.stream().noneMatch(line::overlaps)) {
        frequent.add(line);
      }
    }
    return frequent;
  }

  /** Deletes the report of an output, as an earlier run with other settings may have left it. */
  public static void delete(Storage storage, String output) {
    if (exists(storage, output)) {
      storage.delete(new Path(output, FILE));
    }
    deleteExcept(storage, storage.qualify(new Path(output)), Set.of());
  }

  private static void deleteExcept(Storage storage, Path directory, Set<String> files) {
    Set<Path> kept = new HashSet<>();
    files.forEach(file -> kept.add(storage.qualify(new Path(directory, file))));
    storage.filesBelow(new Path(directory, FOLDER)).stream()
        .map(status -> storage.qualify(status.getPath()))
        .filter(path -> !kept.contains(path))
        .forEach(storage::delete);
  }

  /**
   * The report that an output has.
   *
   * @throws IllegalArgumentException when it is not one that this program wrote
   */
  public static RepeatReport read(Storage storage, String output) {
    Path file = new Path(output, FILE);
    try {
      return Json.MAPPER.readValue(storage.read(file), RepeatReport.class);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(
          file + ": no report of repeats (" + e.getOriginalMessage() + "); run dedup with --force",
          e);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read", e);
    }
  }
}
