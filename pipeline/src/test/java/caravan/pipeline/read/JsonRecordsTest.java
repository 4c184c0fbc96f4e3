package caravan.pipeline.read;

import static caravan.pipeline.read.Reading.jsonLine;
import static caravan.pipeline.read.Reading.told;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import caravan.pipeline.Document;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JsonRecordsTest {
  @Test
  void what_no_path_names_goes_to_meta_as_it_is_written() {
    Document document =
        jsonLine(
            """
            {"n": 1.50, "big": 12345678901234567890123, "yes": true, "none": null, "text": "正文𠮷",\
             "tags": ["a", {"b": null}], "s": "x\\ny"}""",
            "");
    assertThat(document.text()).isEqualTo("正文𠮷");
    assertThat(document.meta())
        .isEqualTo(
            Map.of(
                "n", "1.50",
                "big", "12345678901234567890123",
                "yes", "true",
                "tags", "[\"a\",{\"b\":null}]",
                "s", "x\ny"));
    assertThat(document.id()).isEqualTo(Reading.file("a.jsonl").id(0));
  }

  @Test
  void several_fields_are_joined_in_the_order_of_the_setting() {
    String fields = "text-field = [title, content]";
    assertThat(jsonLine("{\"content\": \"正文\", \"title\": \"标题\"}", fields).text())
        .isEqualTo("标题\n正文");
    assertThat(
            jsonLine("{\"content\": \"b\", \"title\": \"a\"}", fields + ", join = \": \"").text())
        .isEqualTo("a: b");
  }

  @Test
  void absent_null_and_empty_fields_are_left_out_and_a_record_without_any_is_broken() {
    String alpaca = "text-field = [instruction, input, output]";
    assertThat(
            jsonLine("{\"instruction\": \"问\", \"input\": \"\", \"output\": \"答\"}", alpaca).text())
        .isEqualTo("问\n答");
    assertThat(jsonLine("{\"instruction\": \"问\", \"input\": null}", alpaca).text()).isEqualTo("问");
    assertThat(jsonLine("{\"instruction\": \"\"}", alpaca).text()).isEmpty();
    assertThat(told(jsonLine("{\"input\": null, \"n\": 1}", alpaca)))
        .isEqualTo(
            "broken_record: no field instruction, input, output (read.text-field),"
                + " it has [input (null), n]");
  }

  @Test
  void a_path_leads_into_objects_and_every_element_of_an_array() {
    Document document =
        jsonLine(
            """
            {"文件名": "甲.txt", "段落数": 2, "段落": [\
            {"行号": 0, "md5": "x", "内容": "第一段"}, {"行号": 1, "内容": "第二段"}]}""",
            "text-field = \"段落[].内容\", id-field = \"文件名\"");
    assertThat(document.text()).isEqualTo("第一段\n第二段");
    assertThat(document.id()).isEqualTo("甲.txt");
    assertThat(document.meta())
        .as("what the path leaves over stays")
        .isEqualTo(Map.of("段落数", "2", "段落", "[{\"行号\":0,\"md5\":\"x\"},{\"行号\":1}]"));
    assertThat(jsonLine("{\"a\": {\"b\": [[\"1\", \"2\"], [\"3\"]]}}", "text-field = \"a.b[][]\""))
        .extracting(Document::text, Document::meta)
        .containsExactly("1\n2\n3", Map.of());
    assertThat(jsonLine("{\"a\": [], \"n\": 1}", "text-field = \"a[]\"").text()).isEmpty();
  }

  @Test
  void paths_through_one_array_take_turns() {
    assertThat(
            jsonLine(
                    "{\"qa\": [{\"a\": \"A1\", \"q\": \"Q1\"}, {\"q\": \"Q2\", \"a\": \"A2\"}],"
                        + " \"title\": \"T\"}",
                    "text-field = [title, \"qa[].q\", \"qa[].a\"]")
                .text())
        .isEqualTo("T\nQ1\nA1\nQ2\nA2");
  }

  @Test
  void ids_and_sources_are_found_by_path_and_stay_where_they_lie() {
    Document document =
        jsonLine(
            "{\"text\": \"t\", \"meta\": {\"id\": 17, \"from\": \"网\"}}",
            "id-field = meta.id, source-field = meta.from");
    assertThat(document.id()).isEqualTo("17");
    assertThat(document.source()).isEqualTo("网");
    assertThat(document.meta()).isEqualTo(Map.of("meta", "{\"id\":17,\"from\":\"网\"}"));
    assertThat(told(jsonLine("{\"text\": \"t\", \"meta\": {}}", "id-field = meta.id")))
        .isEqualTo("broken_record: no field meta.id (read.id-field), it has [text, meta]");
    assertThat(told(jsonLine("{\"text\": \"t\", \"id\": []}", "id-field = id")))
        .isEqualTo(
            "broken_record: field id (read.id-field) is an array, wanted a string or a number");
  }

  @Test
  void a_field_whose_name_has_dots_is_found_by_its_whole_name() {
    assertThat(jsonLine("{\"data.text\": \"t\"}", "text-field = data.text").text()).isEqualTo("t");
    assertThat(jsonLine("{\"data\": {\"text\": \"t\"}}", "text-field = data.text").text())
        .isEqualTo("t");
  }

  @Test
  void another_shape_than_the_path_describes_is_told() {
    assertThat(told(jsonLine("{\"text\": 7}", "")))
        .isEqualTo("broken_record: field text (read.text-field) is a number, wanted a string");
    assertThat(told(jsonLine("{\"text\": [\"a\"]}", "")))
        .isEqualTo(
            "broken_record: field text (read.text-field) is an array, wanted a string;"
                + " text[] joins an array's strings");
    assertThat(told(jsonLine("{\"a\": {\"b\": \"x\"}}", "text-field = \"a[].b\"")))
        .isEqualTo("broken_record: field a (read.text-field) is an object, wanted an array");
    assertThat(told(jsonLine("{\"a\": [{\"b\": [1]}]}", "text-field = \"a[].b\"")))
        .startsWith("broken_record: field a[].b (read.text-field) is an array, wanted a string;");
  }

  @Test
  void of_a_key_that_occurs_twice_the_last_counts() {
    Document document =
        jsonLine(
            "{\"text\": \"a\", \"k\": 1, \"k\": 2, \"text\": \"b\", \"x\": 1, \"x\": null}", "");
    assertThat(document.text()).isEqualTo("b");
    assertThat(document.meta()).isEqualTo(Map.of("k", "2"));
    assertThat(told(jsonLine("{\"text\": \"a\", \"text\": null}", "")))
        .startsWith("broken_record: no field text (read.text-field), it has [text, text (null)]");
  }

  @Test
  void what_is_no_json_object_is_told_with_the_place() {
    assertThat(told(jsonLine("{\"text\": \"cut", "")))
        .isEqualTo(
            "broken_record: no JSON: Unexpected end-of-input in VALUE_STRING, at byte 13 of the"
                + " record");
    assertThat(told(jsonLine("[1]", ""))).isEqualTo("broken_record: no JSON object but an array");
    assertThat(told(jsonLine("正文", "")))
        .startsWith("broken_record: no JSON: Unexpected character outside of a string, at byte");
    assertThat(told(jsonLine("{\"text\": \"a\"}{\"text\": \"b\"}", "")))
        .startsWith("broken_record: more than one JSON value; read.format = json reads");
    assertThat(told(jsonLine("\0{\"text\": \"a\"}", "")))
        .isEqualTo("broken_record: no JSON: a NUL at byte 0");
    assertThat(told(jsonLine("{\"text\": \"a\0b\"}", ""))).contains("Illegal unquoted character");
    assertThat(told(jsonLine("{\"text\": \"a\", \"n\": NaN}", ""))).contains("no JSON");
  }

  @Test
  void an_escaped_nul_is_kept_and_a_surrogate_without_its_partner_replaced() {
    assertThat(jsonLine("{\"text\": \"a\\u0000b\"}", "").text()).isEqualTo("a\0b");
    assertThat(jsonLine("{\"text\": \"\\ud842\\udfb7|\\ud842|\\udfb7\\ud842\"}", "").text())
        .isEqualTo("𠮷|\uFFFD|\uFFFD\uFFFD");
    assertThat(jsonLine("{\"text\": \"\", \"m\": [\"\\ud842\"]}", "").meta())
        .isEqualTo(Map.of("m", "[\"\uFFFD\"]"));
  }

  @Test
  void deep_nesting_breaks_the_record_and_not_the_reader() {
    String deep = "{\"text\": \"t\", \"d\": " + "[".repeat(100_000) + "]".repeat(100_000) + "}";
    assertThat(told(jsonLine(deep, "")))
        .contains("no JSON: Depth (1001) exceeds the maximum allowed nesting");
    String fine = "{\"text\": \"t\", \"d\": " + "[".repeat(900) + "]".repeat(900) + "}";
    assertThat(jsonLine(fine, "").meta().get("d")).hasSize(1800);
  }

  @Test
  void bytes_of_another_character_set_are_told_with_the_next_move() {
    byte[] line = "{\"text\": \"北京是中国的首都\"}".getBytes(java.nio.charset.Charset.forName("GB18030"));
    JsonLines utf8 = new JsonLines(Reading.records(""));
    assertThat(told(utf8.parse(Reading.file("a.jsonl"), 0, line)))
        .isEqualTo(
            "invalid_utf8: byte 10 of the record (0xB1) is not UTF-8; it reads as gb18030: set"
                + " read.encoding = gb18030");
    JsonLines gb18030 = new JsonLines(Reading.records("encoding = GB18030"));
    assertThat(gb18030.parse(Reading.file("a.jsonl"), 0, line).text()).isEqualTo("北京是中国的首都");
  }

  @Test
  void a_megabyte_of_text_is_read_in_one_piece() {
    String text = "字".repeat(1 << 20);
    assertThat(jsonLine("{\"text\": \"" + text + "\"}", "").text()).isEqualTo(text);
    assertThat(
            new JsonRecords(Reading.records(""))
                .document(
                    Reading.file("a"),
                    0,
                    ("xx{\"text\": \"a\"}yy").getBytes(StandardCharsets.UTF_8),
                    2,
                    15)
                .text())
        .isEqualTo("a");
  }

  @Test
  void paths_that_are_none_are_refused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Reading.records("text-field = \"a..b\""))
        .havingRootCause()
        .withMessage(
            "read.text-field: got \"a..b\", wanted a field's name or a path such as data.text or"
                + " paragraphs[].text");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Reading.records("text-field = [a, a.b]"))
        .havingRootCause()
        .withMessageContaining("a is text, so a.b cannot lie in it");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Reading.records("text-field = []"))
        .havingRootCause()
        .withMessage("read.text-field: got nothing, wanted a field's name");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Reading.records("encoding = latin-1"))
        .havingRootCause()
        .withMessageStartingWith("read.encoding: got latin-1, wanted utf-8, gb18030");
  }
}
