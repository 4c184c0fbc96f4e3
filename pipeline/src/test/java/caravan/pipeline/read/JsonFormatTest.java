package caravan.pipeline.read;

import static caravan.pipeline.read.Reading.json;
import static caravan.pipeline.read.Reading.told;
import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class JsonFormatTest {
  private static List<String> ids(long... positions) {
    return LongStream.of(positions).mapToObj(p -> Reading.file("a.json").id(p)).toList();
  }

  @Test
  void an_array_gives_its_elements_by_their_index() {
    List<Document> documents =
        json(
            "\uFEFF \n[ {\"text\": \"a}],{\\\"\"},\n\n{\"text\":\n \"第二\", \"m\": [{}, \"]\"]} ]\n",
            "");
    assertThat(told(documents)).containsExactly("a}],{\"", "第二");
    assertThat(documents).extracting(Document::id).isEqualTo(ids(0, 1));
    assertThat(documents.get(1).meta().get("m")).isEqualTo("[{},\"]\"]");
    assertThat(json("[]", "")).isEmpty();
    assertThat(json("", "")).isEmpty();
  }

  @Test
  void objects_that_follow_each_other_have_the_positions_of_lines() {
    String text =
        "{\"text\": \"a\"}\n  {\"text\": \"b\"} {\"text\": \"c\"}\n\n{\n \"text\": \"d\"\n}";
    List<Document> documents = json(text, "");
    assertThat(told(documents)).containsExactly("a", "b", "c", "d");
    int b = text.indexOf("  {");
    int c = text.indexOf("{\"text\": \"c");
    int d = text.indexOf("{\n");
    assertThat(documents).extracting(Document::id).isEqualTo(ids(0, b, c, d));
  }

  @Test
  void a_broken_element_is_kept_aside_alone() {
    assertThat(
            told(
                json(
                    "[{\"text\": \"a\"}, {\"text\": tru}, 7, null, \"s\", [1], {\"n\": 1},"
                        + " {\"text\": \"b\",}, {\"text\": \"c\"}]",
                    "")))
        .satisfiesExactly(
            t -> assertThat(t).isEqualTo("a"),
            t ->
                assertThat(t)
                    .startsWith("broken_record: no JSON: Unrecognized token 'tru'")
                    .endsWith("at byte 13 of the record"),
            t -> assertThat(t).isEqualTo("broken_record: no JSON object but a number"),
            t -> assertThat(t).isEqualTo("broken_record: no JSON object but null"),
            t -> assertThat(t).isEqualTo("broken_record: no JSON object but a string"),
            t -> assertThat(t).isEqualTo("broken_record: no JSON object but an array"),
            t -> assertThat(t).startsWith("broken_record: no field text"),
            t -> assertThat(t).startsWith("broken_record: no JSON: Unexpected character"),
            t -> assertThat(t).isEqualTo("c"));
  }

  @Test
  void a_missing_quote_or_bracket_spoils_one_record() {
    String good = "{\"text\": \"good\"}";
    for (String bad :
        List.of(
            "{\"text\": \"cut",
            "{\"text\": \"cut\"",
            "{\"text\": [\"cut\"",
            "{\"t\": [\"cut\"}",
            "{")) {
      assertThat(told(json(good + "\n" + bad + "\n" + good + "\n" + good, "")))
          .as(bad)
          .hasSize(4)
          .satisfies(t -> assertThat(t.get(1)).startsWith("broken_record: "))
          .filteredOn("good"::equals)
          .hasSize(3);
      assertThat(told(json("[\n" + good + ",\n" + bad + "\n" + good + ",\n" + good + "]", "")))
          .as("in an array: " + bad)
          .filteredOn("good"::equals)
          .hasSize(3);
    }
  }

  @Test
  void a_file_that_is_cut_off_gives_its_whole_records_and_one_broken_one() {
    String array = "[{\"text\": \"a\"}, {\"text\": \"b\"}, {\"text\": \"c\"}]";
    assertThat(told(json(array.substring(0, array.length() - 5), "")))
        .containsExactly(
            "a", "b", "broken_record: the file ends inside this record: was it cut off?");
    assertThat(told(json(array.substring(0, array.indexOf(", {\"text\": \"c")), "")))
        .containsExactly(
            "a", "b", "broken_record: the file ends before its array does: was it cut off?");
    assertThat(told(json("{\"text\": \"a\"}\n{\"te", "")))
        .containsExactly("a", "broken_record: the file ends inside this record: was it cut off?");
  }

  @Test
  void every_cut_of_a_valid_file_gives_its_whole_records_and_at_most_one_broken_one() {
    String array = "[{\"text\": \"a\\\\\\\"b\", \"m\": [1, {\"x\": \"]\"}]},\n {\"text\": \"第\"}]";
    byte[] bytes = array.getBytes(StandardCharsets.UTF_8);
    int first = array.indexOf("},\n") + 1;
    for (int length = 1; length < bytes.length; length++) {
      List<String> told = told(json(java.util.Arrays.copyOf(bytes, length), ""));
      long whole =
          told.stream().filter(t -> !t.startsWith("broken") && !t.startsWith("inv")).count();
      assertThat(whole)
          .as("cut at " + length)
          .isEqualTo(length < first ? 0 : length < bytes.length - 1 ? 1 : 2);
      assertThat(told.size() - whole).as("cut at " + length).isEqualTo(1);
    }
  }

  @Test
  void records_do_not_depend_on_how_the_bytes_arrive() {
    Random random = new Random(7);
    StringBuilder text = new StringBuilder("[");
    for (int i = 0; i < 300; i++) {
      text.append(i == 0 ? "" : ",\n")
          .append("{\"text\": \"")
          .append("第\\\"{".repeat(random.nextInt(9)));
      text.append("\"").append(random.nextInt(10) == 0 ? "" : "}");
    }
    byte[] bytes = text.append("]").toString().getBytes(StandardCharsets.UTF_8);
    List<Document> documents = json(bytes, "");
    assertThat(documents).hasSizeGreaterThan(200);
    assertThat(Reading.all(JsonFormat::new, "a.json", Reading.trickle(bytes), ""))
        .isEqualTo(documents);
  }

  @Test
  void records_lie_anywhere_in_the_buffer() {
    Random random = new Random(8);
    List<String> texts = new ArrayList<>();
    StringBuilder array = new StringBuilder("[");
    for (int i = 0; i < 20_000; i++) {
      texts.add("\\\"{第".repeat(random.nextInt(60)));
      String escaped = texts.get(i).replace("\\", "\\\\").replace("\"", "\\\"");
      array.append(i == 0 ? "" : ",").append("{\"text\": \"").append(escaped).append("\"}");
    }
    assertThat(told(json(array.append("]").toString(), ""))).isEqualTo(texts);
  }

  @Test
  void a_record_longer_than_any_document_is_broken_and_reading_goes_on_behind_it() {
    String big = "{\"text\": \"" + "x".repeat(3 << 20) + "\"}";
    List<Document> documents =
        json("[{\"text\": \"a\"}," + big + ",{\"text\": \"b\"}]", "max-document-characters = 10");
    assertThat(told(documents))
        .containsExactly(
            "a",
            "broken_record: goes on for more than 1,048,696 bytes; does a bracket or quote in it"
                + " never close?",
            "b");
    assertThat(documents.get(1).text()).startsWith("{\"text\": \"xxx").hasSize(1 << 16);
  }

  @Test
  void hostile_brackets_take_linear_time() {
    String braces = "{\"a\":".repeat(500_000) + "]".repeat(500_000);
    assertThat(json(braces, "")).hasSize(2);
    assertThat(json("[" + braces, "")).isNotEmpty();
  }

  @Test
  void a_million_tiny_records_are_all_read() {
    List<Document> documents =
        json("[" + "{\"text\":\"\"},".repeat(999_999) + "{\"text\":\"z\"}]", "");
    assertThat(documents).hasSize(1_000_000);
    assertThat(documents.get(999_999).text()).isEqualTo("z");
  }

  @Test
  void other_character_sets_are_decoded_and_what_is_none_of_them_breaks_its_record_alone() {
    String array = "[{\"text\": \"北京是中国的首都\"}, {\"text\": \"上海\"}]";
    byte[] gb18030 = array.getBytes(Charset.forName("GB18030"));
    assertThat(told(json(gb18030, "encoding = gb18030"))).containsExactly("北京是中国的首都", "上海");
    assertThat(told(json(gb18030, "")).get(0))
        .isEqualTo(
            "invalid_utf8: byte 10 of the record (0xB1) is not UTF-8; it reads as gb18030: set"
                + " read.encoding = gb18030");
    byte[] big5 = "[{\"text\": \"功蓋三分國，名成八陣圖\"}]".getBytes(Charset.forName("Big5"));
    assertThat(told(json(big5, "")).get(0)).contains("it reads as big5: set read.encoding = big5");
    assertThat(told(json(big5, "encoding = big5"))).containsExactly("功蓋三分國，名成八陣圖");
    gb18030[14] = (byte) 0xFF;
    assertThat(told(json(gb18030, "encoding = gb18030")))
        .satisfiesExactly(
            t ->
                assertThat(t).startsWith("invalid_utf8: not gb18030 (read.encoding) after 11 char"),
            t -> assertThat(t).isEqualTo("上海"));
    assertThat(told(json(array.getBytes(StandardCharsets.UTF_16), "")).get(0))
        .contains("it begins as UTF-16 does: convert the file to UTF-8");
  }
}
