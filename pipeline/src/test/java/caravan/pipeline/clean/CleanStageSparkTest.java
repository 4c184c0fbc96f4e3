package caravan.pipeline.clean;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.TestSpark;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;

class CleanStageSparkTest {
  private static final String PORT =
      "清晨的港口十分安静，只有几只海鸥在水面上盘旋。一位戴着蓝色帽子的老人坐在墙边修补渔网，多年来他一直如此。" + "他的邮箱是a@b.cn。";

  @Test
  void tags_every_document_once_with_its_verdict_and_keeps_the_rest_of_the_row() {
    Document kept = new Document("1", "s", "p", "", " " + PORT, Map.of("url", "u"));
    Document dropped = new Document("2", "s", "p", "", "太短", Map.of());
    Document broken =
        Documents.unreadable("3", "s", "p", "{", Documents.BROKEN_RECORD, "no closing brace");
    Dataset<Row> rows =
        TestSpark.session()
            .createDataFrame(
                Stream.of(kept, dropped, broken).map(Documents::toRow).toList(), Documents.SCHEMA);

    List<Row> tagged =
        new CleanStage(ReferenceConf.read("clean", CleanConfig.class))
            .apply(rows)
            .orderBy("id")
            .collectAsList();

    assertThat(tagged)
        .extracting(row -> row.<String>getAs("reason") + ": " + row.getAs("detail"))
        .containsExactly(
            "kept: ", "too_short: 2 code points, minimum 50", "broken_record: no closing brace");
    Document clean = Documents.fromRow(tagged.get(0));
    assertThat(clean)
        .isEqualTo(
            new Document(
                "1", "s", "p", "zh", PORT.replace("a@b.cn", "<EMAIL>"), Map.of("url", "u")));
    assertThat(tagged.get(0).getJavaMap(tagged.get(0).fieldIndex("edits")))
        .isEqualTo(Map.of("whitespace", 1L, "pii_email", -1L));
    assertThat(tagged.get(0).<Long>getAs("inputCharacters")).isEqualTo(PORT.length() + 1);
  }
}
