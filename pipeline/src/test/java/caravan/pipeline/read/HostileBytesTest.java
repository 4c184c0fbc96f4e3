package caravan.pipeline.read;

import static caravan.pipeline.read.Reading.told;
import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Damaged bytes: nothing throws, nothing hangs, and what the damage does not touch is read. */
class HostileBytesTest {
  private static final Map<String, Function<Records, StreamFormat>> FORMATS =
      Map.of("a.json", JsonFormat::new, "a.csv", CsvFormat::new, "a.txt", SeparatedText::new);
  private static final byte[] BYTES =
      "{}[]\",:\\\n\r\0 ue9\u00FF中".getBytes(StandardCharsets.UTF_8);

  private static byte[] content(String name) {
    StringBuilder text = new StringBuilder(name.equals("a.csv") ? "id,text\n" : "");
    text.append(name.equals("a.json") ? "[\n" : "");
    for (int i = 0; i < 12; i++) {
      text.append(
          switch (name) {
            case "a.json" ->
                "{\"id\": %d, \"text\": \"第\\\"%d\", \"m\": [{\"a\": []}]}%s\n"
                    .formatted(i, i, i == 11 ? "]" : ",");
            case "a.csv" -> "%d,\"第\"\"%d\"\n".formatted(i, i);
            default -> "%d 第%d\n##\n".formatted(i, i);
          });
    }
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static List<Document> read(String name, byte[] bytes) {
    return Reading.all(
        FORMATS.get(name), name, new ByteArrayInputStream(bytes), "separator = \"##\"");
  }

  @Test
  void damage_in_one_place_leaves_all_but_a_few_records() {
    for (String name : FORMATS.keySet()) {
      byte[] content = content(name);
      List<String> whole = told(read(name, content));
      assertThat(whole).as(name).hasSize(12);
      for (int at = content.length / 3; at < content.length - 60; at += 5) {
        for (byte b : BYTES) {
          byte[] damaged = content.clone();
          damaged[at] = b;
          List<String> rest = new ArrayList<>(told(read(name, damaged)));
          rest.retainAll(whole);
          assertThat(rest.size())
              .as("%s: byte %d of %s", name, at, new String(damaged, StandardCharsets.UTF_8))
              .isGreaterThanOrEqualTo(8);
        }
      }
    }
  }

  @Test
  @Timeout(60)
  void much_damage_neither_throws_nor_hangs() {
    Random random = new Random(5);
    for (String name : FORMATS.keySet()) {
      for (int i = 0; i < 1_000; i++) {
        byte[] damaged = content(name);
        for (int k = random.nextInt(40); k >= 0; k--) {
          damaged[random.nextInt(damaged.length)] = BYTES[random.nextInt(BYTES.length)];
        }
        byte[] bytes = Arrays.copyOf(damaged, random.nextInt(damaged.length) + 1);
        List<Document> documents = read(name, bytes);
        assertThat(documents).hasSizeLessThan(bytes.length + 1);
        assertThat(documents).extracting(Document::id).doesNotHaveDuplicates();
      }
    }
  }

  @Test
  void json_lines_read_as_json_give_the_same_documents() {
    String lines =
        "\uFEFF{\"text\": \"a\"}\r\n\n  {\"text\": \"第\\n\"}\n{\"text\": 7}\n{\"text\": \"cut\n{\"text\": \"b\"}\n"
            + "\t\n{\"text\": \"c\"\n{\"text\": \"d\"}";
    List<Document> asJson = Reading.json(lines, "");
    byte[] bytes = lines.getBytes(StandardCharsets.UTF_8);
    Records records = Reading.records("");
    List<Document> asLines =
        Reading.all(
            r -> new LineFiles(new JsonLines(records), records),
            "a.json",
            new ByteArrayInputStream(bytes),
            "");
    assertThat(asJson).hasSameSizeAs(asLines).hasSize(7);
    for (int i = 0; i < asJson.size(); i++) {
      assertThat(asJson.get(i).id()).as("record %d", i).isEqualTo(asLines.get(i).id());
    }
    for (int i : new int[] {0, 1, 2, 4, 6}) {
      assertThat(asJson.get(i)).isEqualTo(asLines.get(i));
    }
  }
}
