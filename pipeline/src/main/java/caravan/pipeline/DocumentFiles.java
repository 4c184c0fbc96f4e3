package caravan.pipeline;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;

/** The Parquet files of a stage output: listed, read, deleted. */
final class DocumentFiles {
  /** Kept documents. */
  static final String DATA = "data";

  /** Dropped documents, one directory per reason. */
  static final String DROPPED = "dropped";

  private final SparkSession spark;
  private final Storage storage;
  private final Path directory;

  /**
   * @param directory qualified
   */
  DocumentFiles(SparkSession spark, Storage storage, Path directory) {
    this.spark = spark;
    this.storage = storage;
    this.directory = directory;
  }

  /** Files below data/ and dropped/ but those in {@code known}; paths relative to the output. */
  List<String> except(Set<String> known) {
    List<String> files = new ArrayList<>();
    for (String name : List.of(DATA, DROPPED)) {
      storage.filesBelow(new Path(directory, name)).stream()
          .map(status -> Manifest.relative(directory, storage.qualify(status.getPath())))
          .filter(file -> !known.contains(file))
          .forEach(files::add);
    }
    return files;
  }

  void deleteExcept(Set<String> known) {
    except(known).forEach(file -> storage.delete(new Path(directory, file)));
  }

  /** Kept documents in these files, {@link Documents#SCHEMA}. */
  Dataset<Row> kept(List<String> files) {
    String[] paths = paths(DATA, files);
    return paths.length == 0
        ? spark.createDataFrame(List.of(), Documents.SCHEMA)
        : spark.read().schema(Documents.SCHEMA).option("__globPaths__", "false").parquet(paths);
  }

  /** Documents dropped for a reason, {@link Documents#SCHEMA} and {@code detail}. */
  Dataset<Row> dropped(List<String> files, String reason) {
    return spark
        .read()
        .schema(Documents.SCHEMA.add("detail", DataTypes.StringType, false))
        .option("__globPaths__", "false")
        .parquet(paths(DROPPED + "/reason=" + reason, files));
  }

  /** The reasons that files hold. */
  static Set<String> reasons(List<String> files) {
    Set<String> reasons = new TreeSet<>();
    for (String file : files) {
      if (file.startsWith(DROPPED + "/")) {
        reasons.add(file.substring(file.indexOf('=') + 1, file.lastIndexOf('/')));
      }
    }
    return reasons;
  }

  private String[] paths(String name, List<String> files) {
    return files.stream()
        .filter(file -> file.startsWith(name + "/"))
        .map(file -> new Path(directory, file).toString())
        .toArray(String[]::new);
  }
}
