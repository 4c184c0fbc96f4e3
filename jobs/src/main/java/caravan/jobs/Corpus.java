package caravan.jobs;

import caravan.pipeline.Inputs;
import caravan.pipeline.read.CorpusReader;
import caravan.pipeline.read.ReadConfig;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** A command's input: which files, and who reads the documents in them. */
record Corpus(Inputs inputs, CorpusReader reader, SparkSession spark) {

  /**
   * @param input raw files or stage outputs
   * @throws IllegalArgumentException when there is nothing to read
   */
  static Corpus open(SparkSession spark, List<String> input, ReadConfig read) {
    Inputs inputs = Inputs.resolve(spark.sparkContext().hadoopConfiguration(), input);
    return new Corpus(inputs, new CorpusReader(inputs, read), spark);
  }

  /** Rows of {@link caravan.pipeline.Documents#SCHEMA}. */
  Dataset<Row> documents() {
    return reader.rows(spark);
  }
}
