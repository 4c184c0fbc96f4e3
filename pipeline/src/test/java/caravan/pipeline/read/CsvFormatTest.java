package caravan.pipeline.read;

import static caravan.pipeline.read.Reading.told;
import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import java.io.ByteArrayInputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CsvFormatTest {
  private static List<Document> read(String name, String text, String overrides) {
    return read(name, text.getBytes(StandardCharsets.UTF_8), overrides);
  }

  private static List<Document> read(String name, byte[] bytes, String overrides) {
    List<Document> documents =
        Reading.all(CsvFormat::new, name, new ByteArrayInputStream(bytes), overrides);
    assertThat(Reading.all(CsvFormat::new, name, Reading.trickle(bytes), overrides))
        .as("one byte at a time")
        .isEqualTo(documents);
    return documents;
  }

  @Test
  void quoted_fields_hold_delimiters_line_breaks_and_quotes() {
    List<Document> documents =
        read(
            "a.csv",
            "\uFEFF\"text\",标签\r\n\"第一行，\r\n\"\"二\"\"\",a\r\n\r\nplain \"x\",\"b\"\r\n,\r\n\"x\"y,c\r\n",
            "");
    assertThat(documents)
        .extracting(d -> told(d) + "|" + d.meta())
        .containsExactly("第一行，\r\n\"二\"|{标签=a}", "plain \"x\"|{标签=b}", "|{标签=}", "xy|{标签=c}");
    assertThat(documents.get(1).id()).isEqualTo(Reading.file("a.csv").id(1));
    assertThat(told(read("a.tsv", "n\ttext\n1\ta,b", ""))).containsExactly("a,b");
    assertThat(told(read("a.tsv.gz", "text\rb\rc", ""))).containsExactly("b", "c");
  }

  @Test
  void several_columns_are_joined() {
    assertThat(told(read("a.tsv", "q1\tq2\tlabel\n甲\t乙\t1\n丙\t\t0\n", "text-field = [q1, q2]")))
        .containsExactly("甲\n乙", "丙");
  }

  @Test
  void a_header_without_the_field_is_told_with_every_row() {
    assertThat(told(read("a.csv", "label,review\n1,好\n", "")))
        .containsExactly("broken_record: no field text (read.text-field), it has [label, review]");
    assertThat(read("a.csv", "text\n", "")).isEmpty();
    assertThat(read("a.csv", "", "")).isEmpty();
  }

  @Test
  void rows_of_another_width_are_broken() {
    assertThat(told(read("a.csv", "text,n\na,1\nb\nc,2,3\n\"d\ne\"\nf,4\n", "")))
        .containsExactly(
            "a",
            "broken_record: 1 fields, the header has 2: [text, n]",
            "broken_record: 3 fields, the header has 2: [text, n]",
            "broken_record: 1 fields, the header has 2: [text, n]; it takes 2 lines: if quotes are"
                + " plain text here, set read.quote = \"\"",
            "f");
  }

  @Test
  void a_quote_that_never_closes_spoils_one_line() {
    String tsv = "label\ttext\n1\t\"好看\n0\t不好\n1\t很好\n";
    assertThat(told(read("a.tsv", tsv, "")))
        .containsExactly(
            "broken_record: a quote in it never closes; if quotes are plain text here, set"
                + " read.quote = \"\"",
            "不好",
            "很好");
    assertThat(told(read("a.tsv", tsv, "quote = \"\""))).containsExactly("\"好看", "不好", "很好");
  }

  @Test
  void fields_that_are_not_utf8_break_their_row_and_a_header_that_is_not_the_file() {
    byte[] row = "text,n\ngood,1\nb?d,2\ngood,3\n".getBytes(StandardCharsets.UTF_8);
    row[15] = (byte) 0xFE;
    assertThat(told(read("a.csv", row, "")))
        .containsExactly("good", "invalid_utf8: byte 1 of the record (0xFE) is not UTF-8", "good");
    byte[] gbk = "标签,正文\n1,北京是中国的首都\n2,上海\n".getBytes(Charset.forName("GBK"));
    assertThat(told(read("a.csv", gbk, "text-field = 正文")))
        .singleElement()
        .asString()
        .contains("is not UTF-8; it reads as gb18030");
    assertThat(read("a.csv", gbk, "text-field = 正文, encoding = gb18030"))
        .extracting(Document::text, Document::meta)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple("北京是中国的首都", Map.of("标签", "1")),
            org.assertj.core.groups.Tuple.tuple("上海", Map.of("标签", "2")));
  }
}
