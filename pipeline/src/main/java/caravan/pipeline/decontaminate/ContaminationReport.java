package caravan.pipeline.decontaminate;

import static org.apache.spark.sql.functions.col;

import caravan.pipeline.ChainedDocuments;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.decontaminate.DecontaminateStage.Finding;
import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import scala.Tuple2;

/**
 * Which item is in the corpus, and where: a line per item in the items' order, those that were not
 * found included. What was found is brought together on Spark and passes through the driver in the
 * items' order, a partition at a time.
 */
public final class ContaminationReport {
  /** The lines as JSON, beside a decontaminated corpus. */
  public static final String FILE = "contamination.jsonl";

  /** Documents that a line names at most. */
  private static final int EXAMPLES = 5;

  /**
   * A line.
   *
   * @param item id
   * @param file that it is in
   * @param units its length
   * @param ngrams n-grams that were looked for; 0: the item is too short, or has only common ones
   * @param commonNgrams n-grams that too many items hold to be looked for
   * @param documents that hold at least one
   * @param share largest share of the item's units that one document holds, 0 to 1
   * @param examples by share, then id
   */
  public record Line(
      String item,
      String file,
      int units,
      int ngrams,
      int commonNgrams,
      long documents,
      double share,
      List<Example> examples) {}

  /**
   * @param document id
   * @param share of the item's units that are in the document
   * @param ngrams of the longest passage
   * @param character code points before that passage
   * @param text its beginning
   */
  public record Example(
      String document, String source, double share, int ngrams, int character, String text)
      implements Serializable {}

  private record Sum(long documents, List<Example> examples) implements Serializable {
    private static final Comparator<Example> BEST =
        Comparator.comparingDouble((Example e) -> -e.share())
            .thenComparing(Example::document)
            .thenComparing(Example::source)
            .thenComparingInt(Example::character);

    Sum plus(Sum other) {
      List<Example> both = new ArrayList<>(examples);
      both.addAll(other.examples);
      both.sort(BEST);
      return new Sum(
          documents + other.documents,
          new ArrayList<>(both.subList(0, Math.min(EXAMPLES, both.size()))));
    }
  }

  private final ItemIndex index;
  private final JavaPairRDD<Integer, Sum> found;

  private ContaminationReport(ItemIndex index, JavaPairRDD<Integer, Sum> findings) {
    this.index = index;
    this.found = findings.reduceByKey(Sum::plus).sortByKey();
  }

  /** Of a finished output of {@link DecontaminateStage}, from what it says of its documents. */
  public static ContaminationReport of(SparkSession spark, String output, ItemIndex index) {
    var conf = spark.sparkContext().hadoopConfiguration();
    Path directory = new Storage(conf).qualify(new Path(output));
    String[] files =
        Manifest.read(conf, directory, Manifest.DOCUMENTS).files().stream()
            .map(Manifest.OutputFile::path)
            .filter(
                path ->
                    path.startsWith("data/")
                        || path.contains("/reason=" + DecontaminateStage.CONTAMINATED + "/"))
            .map(path -> new Path(directory, path).toString())
            .toArray(String[]::new);
    return new ContaminationReport(
        index,
        spark
            .read()
            .schema(Documents.SCHEMA)
            .option("__globPaths__", "false")
            .parquet(files)
            .select(
                col("id"), col("source"), col("meta").getItem(DecontaminateStage.META).as("found"))
            .filter(col("found").isNotNull())
            .toJavaRDD()
            .flatMapToPair(
                row -> sums(row.getString(0), row.getString(1), read(row.getString(2)))));
  }

  /** Of documents as they are; they are read once, and nothing is written. */
  public static ContaminationReport of(
      JavaRDD<DocumentIterator> documents, Broadcast<ItemIndex> index) {
    return new ContaminationReport(
        index.value(),
        documents.mapPartitionsToPair(
            readers -> {
              DocumentIterator read = ChainedDocuments.of(readers);
              return new FoundIn(read, index.value());
            }));
  }

  private static Finding[] read(String json) throws JsonProcessingException {
    return Json.MAPPER.readValue(json, Finding[].class);
  }

  private static Iterator<Tuple2<Integer, Sum>> sums(
      String document, String source, Finding... findings) {
    List<Tuple2<Integer, Sum>> sums = new ArrayList<>();
    for (Finding f : findings) {
      Example example =
          new Example(document, source, f.share(), f.ngrams(), f.character(), f.text());
      sums.add(new Tuple2<>(f.number(), new Sum(1, new ArrayList<>(List.of(example)))));
    }
    return sums.iterator();
  }

  /** Gives every item's line, in order. */
  public void forEach(Consumer<Line> action) {
    found.persist(StorageLevel.DISK_ONLY());
    try {
      Iterator<Tuple2<Integer, Sum>> sums = found.toLocalIterator();
      Tuple2<Integer, Sum> next = sums.hasNext() ? sums.next() : null;
      for (int item = 0; item < index.items().count(); item++) {
        boolean here = next != null && next._1() == item;
        action.accept(line(item, here ? next._2() : new Sum(0, List.of())));
        if (here) {
          next = sums.hasNext() ? sums.next() : null;
        }
      }
    } finally {
      found.unpersist(true);
    }
  }

  /** The same, and writes them as {@link #FILE} in a directory. */
  public void write(Storage storage, String directory, Consumer<Line> action) {
    Path target = storage.qualify(new Path(directory, FILE));
    boolean renames = storage.renamesAtomically(target);
    Path written = renames ? new Path(target.getParent(), "." + FILE + ".tmp") : target;
    try {
      try (OutputStream out = new java.io.BufferedOutputStream(storage.create(written))) {
        forEach(
            line -> {
              write(out, line);
              action.accept(line);
            });
      }
      if (renames) {
        storage.replace(written, target);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(target + ": cannot write it", e);
    }
  }

  private static void write(OutputStream out, Line line) {
    try {
      out.write((Json.compact(line) + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(FILE + ": cannot write it", e);
    }
  }

  private Line line(int item, Sum sum) {
    return new Line(
        index.items().id(item),
        index.items().file(item),
        index.items().units(item),
        index.ngrams(item),
        index.common(item),
        sum.documents(),
        sum.examples().isEmpty() ? 0 : sum.examples().get(0).share(),
        sum.examples());
  }

  /** What the documents of a task share with items. */
  private static final class FoundIn implements Iterator<Tuple2<Integer, Sum>> {
    private final DocumentIterator documents;
    private final ItemIndex index;
    private Iterator<Tuple2<Integer, Sum>> found = List.<Tuple2<Integer, Sum>>of().iterator();

    FoundIn(DocumentIterator documents, ItemIndex index) {
      this.documents = documents;
      this.index = index;
    }

    @Override
    public boolean hasNext() {
      while (!found.hasNext() && documents.hasNext()) {
        var document = documents.next();
        if (Documents.taggedIfUnreadable(document).isEmpty()) {
          var matches = index.matches(document.text());
          Finding[] findings =
              DecontaminateStage.findings(document.text(), matches, index).toArray(Finding[]::new);
          found = sums(document.id(), document.source(), findings);
        }
      }
      return found.hasNext();
    }

    @Override
    public Tuple2<Integer, Sum> next() {
      if (!hasNext()) {
        throw new java.util.NoSuchElementException();
      }
      return found.next();
    }
  }
}
