package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Inputs;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import caravan.pipeline.TestSpark;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ParquetFilesSparkTest {
  private static final SparkSession spark = TestSpark.session();
  private static final Configuration conf = spark.sparkContext().hadoopConfiguration();

  @TempDir Path dir;

  private List<Document> read(String overrides, long splitBytes) throws IOException {
    CorpusReader reader =
        new CorpusReader(
            Inputs.resolve(conf, dir + "/rows"),
            ReferenceConf.read("read", ReadConfig.class, overrides));
    List<Document> documents = new ArrayList<>();
    for (Split split : reader.splits(List.of(), splitBytes)) {
      try (DocumentIterator rows = reader.open(split, new Storage(conf))) {
        rows.forEachRemaining(documents::add);
      }
    }
    return documents;
  }

  @Test
  void every_row_is_read_once_wherever_a_file_of_many_row_groups_is_cut() throws IOException {
    spark
        .range(0, 20_000, 1, 1)
        .selectExpr("concat('row ', id, ' ', sha2(cast(id as string), 512)) as text")
        .write()
        .option("parquet.block.size", 100_000)
        .parquet(dir + "/rows");
    List<Document> whole = read("", Long.MAX_VALUE);
    assertThat(whole).hasSize(20_000);
    assertThat(whole).extracting(Document::id).doesNotHaveDuplicates();
    for (long bytes : List.of(1_000_000L, 99_999L, 12_345L)) {
      assertThat(read("", bytes)).as("splits of %d bytes", bytes).isEqualTo(whole);
    }
  }

  @Test
  void text_is_found_by_paths_as_in_json() throws IOException {
    spark
        .sql(
            "select 'T' as title, array(named_struct('from', 'human', 'value', '问'),"
                + " named_struct('from', 'gpt', 'value', '答')) as conversations,"
                + " named_struct('id', 7, 'url', 'u') as meta")
        .write()
        .parquet(dir + "/rows");
    Document document =
        read("text-field = [title, \"conversations[].value\"], id-field = meta.id", Long.MAX_VALUE)
            .get(0);
    assertThat(document.text()).isEqualTo("T\n问\n答");
    assertThat(document.id()).isEqualTo("7");
    assertThat(document.meta())
        .isEqualTo(
            Map.of(
                "conversations", "[{\"from\":\"human\"},{\"from\":\"gpt\"}]",
                "meta", "{\"id\":7,\"url\":\"u\"}"));
  }

  @Test
  void values_of_every_type_become_meta() throws IOException {
    spark
        .sql(
            "select 'x' as text, 2 as i, 3L as l, 1.5D as d, true as b, 12.50BD as dec,"
                + " date'2024-02-29' as day, timestamp'2024-02-29 12:00:00.5+00' as time,"
                + " array('a', null) as list, map('k', 1) as map, struct(1 as a, 'z' as b) as s,"
                + " binary('字') as bytes, cast(null as string) as none")
        .write()
        .parquet(dir + "/rows");
    assertThat(read("", Long.MAX_VALUE).get(0).meta())
        .isEqualTo(
            Map.ofEntries(
                Map.entry("i", "2"),
                Map.entry("l", "3"),
                Map.entry("d", "1.5"),
                Map.entry("b", "true"),
                Map.entry("dec", "12.50"),
                Map.entry("day", "2024-02-29"),
                Map.entry("time", "2024-02-29T12:00:00.500Z"),
                Map.entry("list", "[\"a\",null]"),
                Map.entry("map", "{\"k\":1}"),
                Map.entry("s", "{\"a\":1,\"b\":\"z\"}"),
                Map.entry("bytes", "字")));
  }
}
