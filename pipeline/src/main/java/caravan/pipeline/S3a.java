package caravan.pipeline;

import java.util.Collection;
import java.util.Map;

/**
 * What Spark needs to read and write {@code s3a://} paths.
 *
 * <p>The magic committer: tasks upload in parts, and the job completes the uploads of successful
 * tasks at its end. Nothing is renamed (S3 would copy), and a task that dies leaves no visible
 * file. Directory markers are kept: deleting them after each file is slow, and some S3 servers
 * never report them gone.
 *
 * <p>Where the store is and who may use it is the user's: credentials from AWS_ACCESS_KEY_ID and
 * AWS_SECRET_ACCESS_KEY or an instance's role, and for stores other than AWS {@code
 * spark.hadoop.fs.s3a.endpoint}, {@code .endpoint.region}, {@code .path.style.access}, {@code
 * .connection.ssl.enabled}.
 */
public final class S3a {
  private static final String SCHEME = "s3a://";
  private static final Map<String, String> PROPERTIES =
      Map.of(
          "spark.hadoop.fs.s3a.committer.name",
          "magic",
          "spark.hadoop.mapreduce.outputcommitter.factory.scheme.s3a",
          "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory",
          "spark.sql.sources.commitProtocolClass",
          "org.apache.spark.internal.io.cloud.PathOutputCommitProtocol",
          "spark.sql.parquet.output.committer.class",
          "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter",
          "spark.hadoop.fs.s3a.directory.marker.retention",
          "keep");

  private S3a() {}

  /**
   * Spark properties to set, each unless the user has, before the session is made.
   *
   * @param paths every input and output of the run, or texts that hold them
   * @return empty when no path is on S3: Spark's own commit protocol then stays
   */
  public static Map<String, String> sparkProperties(Collection<String> paths) {
    return paths.stream().anyMatch(path -> path.contains(SCHEME)) ? PROPERTIES : Map.of();
  }
}
