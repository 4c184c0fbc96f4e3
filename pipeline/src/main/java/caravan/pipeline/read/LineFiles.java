package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Json;
import com.fasterxml.jackson.core.type.TypeReference;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.LongWritable;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.hadoop.mapreduce.InputSplit;
import org.apache.hadoop.mapreduce.JobContext;
import org.apache.hadoop.mapreduce.lib.input.FileSplit;
import org.apache.hadoop.mapreduce.lib.input.TextInputFormat;
import org.apache.spark.api.java.JavaNewHadoopRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Row;
import scala.Tuple2;

/** Files whose lines are records. Large uncompressed files are split, others are one partition. */
final class LineFiles {

  /** Makes a document of a line. */
  interface LineParser extends Serializable {
    Document parse(SourceFile file, long position, byte[] line);
  }

  /**
   * @param position bytes of the uncompressed file before the line
   */
  private record Line(SourceFile file, long position, byte[] bytes) implements Serializable {}

  private LineFiles() {}

  static JavaRDD<Row> read(JavaSparkContext sc, List<SourceFile> files, LineParser parser) {
    Map<String, SourceFile> byPath =
        files.stream().collect(Collectors.toMap(SourceFile::path, f -> f));
    Configuration conf = new Configuration(sc.hadoopConfiguration());
    conf.set(ListedFiles.KEY, Json.compact(List.copyOf(byPath.keySet())));
    var lines =
        (JavaNewHadoopRDD<LongWritable, Text>)
            sc.newAPIHadoopRDD(conf, ListedFiles.class, LongWritable.class, Text.class);
    JavaRDD<Line> records =
        lines.mapPartitionsWithInputSplit((split, rows) -> lines(byPath, split, rows), true);
    // One compressed file is one partition: deal its lines out before the work begins.
    if (records.getNumPartitions() < sc.defaultParallelism()) {
      records = records.repartition(sc.defaultParallelism());
    }
    return records.map(
        line -> Documents.toRow(parser.parse(line.file(), line.position(), line.bytes())));
  }

  private static Iterator<Line> lines(
      Map<String, SourceFile> files, InputSplit split, Iterator<Tuple2<LongWritable, Text>> rows) {
    SourceFile file = files.get(((FileSplit) split).getPath().toString());
    Iterable<Tuple2<LongWritable, Text>> iterable = () -> rows;
    return java.util.stream.StreamSupport.stream(iterable.spliterator(), false)
        .filter(row -> !isBlank(row._2))
        .map(row -> new Line(file, row._1.get(), row._2.copyBytes()))
        .iterator();
  }

  private static boolean isBlank(Text line) {
    byte[] bytes = line.getBytes();
    for (int i = 0; i < line.getLength(); i++) {
      if (bytes[i] != ' ' && bytes[i] != '\t' && bytes[i] != '\r') {
        return false;
      }
    }
    return true;
  }

  /**
   * Exactly the files named, whatever characters their names hold. Compressed files are never
   * split: a line's position in one must not depend on the splits.
   */
  public static final class ListedFiles extends TextInputFormat {
    static final String KEY = "caravan.read.files";

    @Override
    protected List<FileStatus> listStatus(JobContext job) throws IOException {
      Configuration conf = job.getConfiguration();
      List<FileStatus> files = new ArrayList<>();
      for (String file :
          Json.MAPPER.readValue(conf.get(KEY), new TypeReference<List<String>>() {})) {
        Path path = new Path(file);
        files.add(path.getFileSystem(conf).getFileStatus(path));
      }
      return files;
    }

    @Override
    protected boolean isSplitable(JobContext job, Path file) {
      return new CompressionCodecFactory(job.getConfiguration()).getCodec(file) == null;
    }
  }
}
