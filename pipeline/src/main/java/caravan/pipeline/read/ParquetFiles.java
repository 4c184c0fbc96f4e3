package caravan.pipeline.read;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.to_json;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Parquet files with a string column for the text; other columns become {@code meta}. */
final class ParquetFiles {
  private ParquetFiles() {}

  static JavaRDD<Row> read(SparkSession spark, List<SourceFile> files, Records records) {
    Map<String, SourceFile> byPath =
        files.stream().collect(Collectors.toMap(SourceFile::path, f -> f));
    Dataset<Row> rows =
        spark
            .read()
            .option("__globPaths__", "false")
            .option("mergeSchema", "true")
            .parquet(byPath.keySet().stream().sorted().toArray(String[]::new));
    checkText(rows.schema(), records.config(), files);
    List<String> names = List.of(rows.schema().fieldNames());
    List<Column> columns = new ArrayList<>();
    columns.add(col("_metadata.file_path"));
    columns.add(col("_metadata.row_index"));
    for (StructField field : rows.schema().fields()) {
      columns.add(asString(field));
    }
    return rows.select(columns.toArray(Column[]::new))
        .toJavaRDD()
        .map(row -> Documents.toRow(document(row, byPath, names, records)));
  }

  private static Document document(
      Row row, Map<String, SourceFile> byPath, List<String> names, Records records) {
    SourceFile file = byPath.get(new Path(URI.create(row.getString(0))).toString());
    Map<String, String> fields = new TreeMap<>();
    for (int i = 0; i < names.size(); i++) {
      if (!row.isNullAt(i + 2)) {
        fields.put(names.get(i), row.getString(i + 2));
      }
    }
    return records.of(file, row.getLong(1), fields, fields.toString());
  }

  private static void checkText(StructType schema, ReadConfig config, List<SourceFile> files) {
    boolean found =
        Arrays.stream(schema.fields())
            .anyMatch(
                f -> f.name().equals(config.textField()) && f.dataType() == DataTypes.StringType);
    if (!found) {
      throw new IllegalArgumentException(
          "%s: no string column %s (read.text-field), it has %s"
              .formatted(files.get(0).path(), config.textField(), schema.simpleString()));
    }
  }

  private static Column asString(StructField field) {
    Column column = col("`" + field.name().replace("`", "``") + "`");
    DataType type = field.dataType();
    if (type instanceof StructType || type instanceof ArrayType || type instanceof MapType) {
      return to_json(type instanceof StructType ? column : struct(column.as(field.name())));
    }
    return column.cast("string");
  }
}
