package caravan.pipeline.decontaminate;

import static org.apache.spark.sql.functions.col;

import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.decontaminate.DecontaminateStage.Finding;
import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.sql.SparkSession;
import scala.Tuple2;

/**
 * Which item is in the corpus, and where: {@code contamination.jsonl} beside a decontaminated
 * corpus, a line per item in the items' order, those that were not found included.
 */
public final class ContaminationReport {
  public static final String FILE = "contamination.jsonl";

  /** Documents that a line names at most. */
  private static final int EXAMPLES = 5;

  /**
   * A line.
   *
   * @param item id
   * @param units its length
   * @param ngrams different n-grams that were looked for; 0: the item is too short
   * @param documents that hold at least one
   * @param share largest share of the n-grams in one passage of a document, 0 to 1
   * @param examples by share, then id
   */
  public record Line(
      String item,
      String source,
      int units,
      int ngrams,
      long documents,
      double share,
      List<Example> examples) {}

  /**
   * @param document id
   * @param character code points before the passage
   */
  public record Example(String document, int ngrams, int character, String text)
      implements java.io.Serializable {}

  private record Sum(long documents, List<Example> examples) implements java.io.Serializable {
    Sum plus(Sum other) {
      List<Example> both = new ArrayList<>(examples);
      both.addAll(other.examples);
      both.sort(
          Comparator.comparingInt((Example e) -> -e.ngrams()).thenComparing(Example::document));
      return new Sum(
          documents + other.documents,
          new ArrayList<>(both.subList(0, Math.min(EXAMPLES, both.size()))));
    }
  }

  private ContaminationReport() {}

  /** Reads the findings in a finished output, and writes the report. What is held: the items. */
  public static List<Line> write(SparkSession spark, String output, ItemIndex index) {
    var conf = spark.sparkContext().hadoopConfiguration();
    Storage storage = new Storage(conf);
    Path directory = storage.qualify(new Path(output));
    Map<Integer, Sum> sums =
        sums(spark, directory, Manifest.read(conf, directory, Manifest.DOCUMENTS));
    ByteArrayOutputStream lines = new ByteArrayOutputStream();
    List<Line> report = new ArrayList<>();
    for (int number = 0; number < index.items().size(); number++) {
      ItemIndex.Item item = index.items().get(number);
      Sum sum = sums.getOrDefault(number, new Sum(0, List.of()));
      int ngrams = index.ngrams(number);
      int most = sum.examples().isEmpty() ? 0 : Math.min(ngrams, sum.examples().get(0).ngrams());
      Line line =
          new Line(
              item.id(),
              item.source(),
              index.units(number),
              ngrams,
              sum.documents(),
              ngrams == 0 ? 0 : (double) most / ngrams,
              sum.examples());
      report.add(line);
      lines.writeBytes((Json.compact(line) + "\n").getBytes(StandardCharsets.UTF_8));
    }
    storage.writeAtomically(new Path(directory, FILE), lines.toByteArray());
    return report;
  }

  private static Map<Integer, Sum> sums(SparkSession spark, Path directory, Manifest manifest) {
    String[] files =
        manifest.files().stream()
            .map(Manifest.OutputFile::path)
            .filter(
                path ->
                    path.startsWith("data/")
                        || path.contains("/reason=" + DecontaminateStage.CONTAMINATED + "/"))
            .map(path -> new Path(directory, path).toString())
            .toArray(String[]::new);
    if (files.length == 0) {
      return Map.of();
    }
    JavaPairRDD<Integer, Sum> found =
        spark
            .read()
            .option("__globPaths__", "false")
            .parquet(files)
            .select(col("id"), col("meta").getItem(DecontaminateStage.META).as("found"))
            .filter(col("found").isNotNull())
            .toJavaRDD()
            .flatMapToPair(row -> examples(row.getString(0), row.getString(1)));
    return new HashMap<>(found.reduceByKey(Sum::plus).collectAsMap());
  }

  private static Iterator<Tuple2<Integer, Sum>> examples(String document, String json)
      throws JsonProcessingException {
    List<Tuple2<Integer, Sum>> examples = new ArrayList<>();
    for (Finding f : Json.MAPPER.readValue(json, Finding[].class)) {
      Example example = new Example(document, f.ngrams(), f.character(), f.text());
      examples.add(new Tuple2<>(f.number(), new Sum(1, List.of(example))));
    }
    return examples.iterator();
  }
}
