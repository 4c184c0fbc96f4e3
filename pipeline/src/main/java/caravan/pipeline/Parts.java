package caravan.pipeline;

import com.fasterxml.jackson.core.JacksonException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a stage's tasks: each writes a {@link Part}. The parts of a {@link DocumentStage} are
 * recorded in {@code parts/} as they are finished, and taken over by later runs with the same
 * configuration as far as their input files are still the same: so a killed run goes on where it
 * stopped, and new files alone are processed.
 */
final class Parts {
  static final String DIRECTORY = "parts";

  /** Bounds of what a task reads, in stored bytes; between them, four tasks per core. */
  private static final long MIN_BYTES = 4L << 20;

  private static final long MAX_BYTES = 128L << 20;
  private static final Logger log = LoggerFactory.getLogger(Parts.class);

  private final SparkSession spark;
  private final Storage storage;
  private final Path directory;

  /**
   * @param directory the output, qualified
   */
  Parts(SparkSession spark, Storage storage, Path directory) {
    this.spark = spark;
    this.storage = storage;
    this.directory = directory;
  }

  /** Parts of earlier runs, finished or not, that need not be made again. */
  List<Part> reusable(String configHash, List<SourceFile> files) {
    Map<String, Long> present = new HashMap<>();
    for (FileStatus status : storage.filesBelow(directory)) {
      present.put(Manifest.relative(directory, storage.qualify(status.getPath())), status.getLen());
    }
    Set<SourceFile> inputs = new HashSet<>();
    files.forEach(file -> inputs.add(unplaced(file)));
    List<Part> parts = new ArrayList<>();
    Map<SourceFile, List<Split>> done = new HashMap<>();
    present.keySet().stream()
        .filter(path -> path.matches(DIRECTORY + "/[^/]+\\.json"))
        .sorted()
        .forEach(
            path -> {
              Part part = read(path);
              if (part != null
                  && part.configHash().equals(configHash)
                  && part.files().stream().allMatch(f -> isPresent(present, f))
                  && part.splits().stream().allMatch(s -> inputs.contains(unplaced(s.file())))
                  && part.splits().stream().noneMatch(s -> overlaps(done, s))) {
                part.splits().forEach(s -> add(done, s));
                parts.add(part);
              }
            });
    return parts;
  }

  private static String record(String name) {
    return DIRECTORY + "/" + name + ".json";
  }

  /** Forgets all parts but these. */
  void deleteRecordsExcept(List<Part> parts) {
    Set<String> known = new HashSet<>();
    parts.forEach(part -> known.add(record(part.name())));
    for (FileStatus status : storage.filesBelow(new Path(directory, DIRECTORY))) {
      if (!known.contains(Manifest.relative(directory, storage.qualify(status.getPath())))) {
        storage.delete(status.getPath());
      }
    }
  }

  private Part read(String path) {
    try {
      return Json.MAPPER.readValue(storage.read(new Path(directory, path)), Part.class);
    } catch (JacksonException e) {
      log.warn("{}/{} is no record of a part and will be made again", directory, path);
      return null;
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(path + ": cannot read it", e);
    }
  }

  private static boolean isPresent(Map<String, Long> present, Manifest.OutputFile file) {
    return Long.valueOf(file.bytes()).equals(present.get(file.path()));
  }

  /** Moving the input changes no document: the path does not matter. */
  private static SourceFile unplaced(SourceFile f) {
    return new SourceFile("", f.relativePath(), f.source(), f.size(), f.fingerprint());
  }

  private static boolean overlaps(Map<SourceFile, List<Split>> done, Split split) {
    return done.getOrDefault(unplaced(split.file()), List.of()).stream()
        .anyMatch(
            other ->
                other.slices() != split.slices()
                    || other.slice() == split.slice()
                        && other.start() < split.end()
                        && split.start() < other.end());
  }

  private static void add(Map<SourceFile, List<Split>> done, Split split) {
    done.computeIfAbsent(unplaced(split.file()), f -> new ArrayList<>()).add(split);
  }

  /** Makes the parts that are not there yet; returns all. */
  List<Part> write(
      DocumentStage stage, DocumentSource source, List<Part> reused, String configHash) {
    List<Split> done = reused.stream().flatMap(part -> part.splits().stream()).toList();
    JavaSparkContext sc = new JavaSparkContext(spark.sparkContext());
    long total = source.files().stream().mapToLong(SourceFile::size).sum();
    long bytes =
        Math.min(MAX_BYTES, Math.max(MIN_BYTES, total / (4L * sc.defaultParallelism()) + 1));
    List<List<Split>> work = packed(source.splits(done, bytes), bytes);
    if (!reused.isEmpty()) {
      log.info(
          "{}: {} parts are there already, {} to do", stage.name(), reused.size(), work.size());
    }
    List<Part> parts = new ArrayList<>(reused);
    if (!work.isEmpty()) {
      SerializableConfiguration conf = new SerializableConfiguration(sc.hadoopConfiguration());
      String target = directory.toString();
      parts.addAll(
          sc.parallelize(work, work.size())
              .map(
                  splits ->
                      new Task(conf.value(), new Path(target))
                          .write(stage, source, splits, configHash))
              .collect());
    }
    return parts;
  }

  /** Small splits together, in order, large ones by themselves. */
  private static List<List<Split>> packed(List<Split> splits, long bytes) {
    List<List<Split>> packs = new ArrayList<>();
    List<Split> pack = new ArrayList<>();
    long size = 0;
    for (Split split : splits) {
      if (!pack.isEmpty() && size + split.bytes() > bytes) {
        packs.add(pack);
        pack = new ArrayList<>();
        size = 0;
      }
      pack.add(split);
      size += split.bytes();
    }
    if (!pack.isEmpty()) {
      packs.add(pack);
    }
    packs.sort(Comparator.comparing(p -> -p.stream().mapToLong(Split::bytes).sum()));
    return packs;
  }

  /**
   * Writes tagged documents, one part per partition. Nothing is recorded: such parts depend on all
   * of the input.
   */
  List<Part> write(JavaRDD<Tagged> tagged, String configHash) {
    SerializableConfiguration conf =
        new SerializableConfiguration(spark.sparkContext().hadoopConfiguration());
    String target = directory.toString();
    return tagged
        .mapPartitions(
            documents ->
                List.of(new Task(conf.value(), new Path(target)).write(documents, configHash))
                    .iterator())
        .collect();
  }

  /** What runs on an executor. */
  private record Task(Configuration conf, Path directory) {

    Part write(DocumentStage stage, DocumentSource source, List<Split> splits, String configHash)
        throws IOException {
      Storage storage = new Storage(conf);
      try (PartWriter writer = new PartWriter(storage, directory)) {
        for (Split split : splits) {
          try (DocumentIterator documents = source.open(split, storage)) {
            while (documents.hasNext()) {
              Document document = documents.next();
              writer.add(
                  Documents.taggedIfUnreadable(document).orElseGet(() -> stage.tag(document)));
              TaskContext.get().taskMetrics().outputMetrics().setRecordsWritten(writer.documents());
            }
          }
        }
        Part part = writer.finish(configHash, splits);
        storage.writeAtomically(new Path(directory, record(part.name())), Json.bytes(part));
        return part;
      }
    }

    Part write(Iterator<Tagged> documents, String configHash) throws IOException {
      try (PartWriter writer = new PartWriter(new Storage(conf), directory)) {
        while (documents.hasNext()) {
          writer.add(documents.next());
          TaskContext.get().taskMetrics().outputMetrics().setRecordsWritten(writer.documents());
        }
        return writer.finish(configHash, List.of());
      }
    }
  }
}
