package caravan.jobs.audit;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Inputs;
import caravan.pipeline.Inputs.InputFile;
import caravan.pipeline.Manifest;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import caravan.pipeline.read.CorpusReader;
import caravan.pipeline.read.ReadConfig;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;
import scala.Tuple2;

/**
 * A document as it stood in a raw file, read once more.
 *
 * @param path the file
 * @param place which record of the file it is, in words
 * @param document as read; empty when {@code problem} says why
 * @param problem why it cannot be read again, in words; empty when it was
 */
public record RawRecord(String path, String place, Optional<Document> document, String problem) {
  private static final long SPLIT_BYTES = 32L << 20;
  private static final int MAX_TASKS = 10_000;

  private static RawRecord unread(String path, String problem) {
    return new RawRecord(path, "", Optional.empty(), problem);
  }

  /**
   * Finds a document of a stage that read raw files in the file it came from, if that is still what
   * the stage read.
   *
   * @param inputs of the stage's manifest
   * @param document as the stage wrote it
   */
  static RawRecord find(
      SparkSession spark, List<Manifest.Input> inputs, ReadConfig read, Document document) {
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    List<Manifest.Input> candidates =
        inputs.stream().filter(input -> input.path().endsWith("/" + document.path())).toList();
    if (candidates.isEmpty()) {
      return unread(document.path(), "the manifest lists no input of this name");
    }
    RawRecord last = null;
    for (Manifest.Input input : candidates) {
      last = find(spark, hadoop, input, read, document);
      if (last.document().isPresent()) {
        return last;
      }
    }
    return last;
  }

  private static RawRecord find(
      SparkSession spark,
      Configuration hadoop,
      Manifest.Input input,
      ReadConfig read,
      Document document) {
    if (!new Storage(hadoop).exists(new Path(input.path()))) {
      return unread(input.path(), "the file is gone, so what it was before cannot be shown");
    }
    InputFile now = Inputs.resolve(hadoop, List.of(input.path())).files().get(0);
    if (!now.fingerprint().equals(input.fingerprint())) {
      return unread(
          input.path(),
          String.format(
              "the file has changed since (%,d bytes then, %,d now), so what it was before cannot be shown",
              input.size(), now.size()));
    }
    InputFile file = new InputFile(now.path(), document.path(), now.size(), now.fingerprint());
    for (String name : names(file, document)) {
      String base = now.path().substring(0, now.path().length() - document.path().length() - 1);
      Inputs one =
          new Inputs(
              now.path(), List.of(new Inputs.Root(name, base, List.of(file), Optional.empty())));
      Optional<RawRecord> found = search(spark, new CorpusReader(one, read), document.id());
      if (found.isPresent()) {
        return found.get();
      }
    }
    return unread(
        input.path(),
        "the file is unchanged, but no record in it has this id: a bug, please report it");
  }

  /** What the stage may have called the input, on which made ids depend. */
  private static Set<String> names(InputFile file, Document document) {
    String base = file.path().substring(0, file.path().length() - file.relativePath().length() - 1);
    Set<String> names = new LinkedHashSet<>(List.of(document.source(), new Path(base).getName()));
    names.add(new Path(file.path()).getName().replaceFirst("(?<=.)\\..*", ""));
    return names;
  }

  private static Optional<RawRecord> search(SparkSession spark, CorpusReader reader, String id) {
    List<Split> splits = reader.splits(List.of(), SPLIT_BYTES);
    JavaSparkContext sc = new JavaSparkContext(spark.sparkContext());
    SerializableConfiguration conf = new SerializableConfiguration(sc.hadoopConfiguration());
    List<Tuple2<Document, String>> found =
        sc.parallelize(splits, Math.max(1, Math.min(splits.size(), MAX_TASKS)))
            .flatMap(split -> search(reader, split, id, new Storage(conf.value())).iterator())
            .take(1);
    return found.stream()
        .findFirst()
        .map(
            pair ->
                new RawRecord(reader.files().get(0).path(), pair._2(), Optional.of(pair._1()), ""));
  }

  /** The document and its place; empty when the split does not hold it. */
  private static List<Tuple2<Document, String>> search(
      CorpusReader reader, Split split, String id, Storage storage) throws IOException {
    try (DocumentIterator documents = reader.open(split, storage)) {
      for (long number = 0; documents.hasNext(); number++) {
        Document document = documents.next();
        if (document.id().equals(id)) {
          return List.of(new Tuple2<>(document, place(split, number)));
        }
      }
      return List.of();
    }
  }

  private static String place(Split split, long number) {
    long record = number * split.slices() + split.slice() + 1;
    return split.start() == 0
        ? String.format("record %,d", record)
        : String.format("record %,d after byte %,d", record, split.start());
  }
}
