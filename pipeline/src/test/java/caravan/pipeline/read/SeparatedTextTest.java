package caravan.pipeline.read;

import static caravan.pipeline.read.Reading.told;
import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class SeparatedTextTest {
  private static List<Document> read(String text, String separator) {
    return read(text.getBytes(StandardCharsets.UTF_8), separator);
  }

  private static List<Document> read(byte[] bytes, String separator) {
    String overrides = "separator = \"" + separator + "\"";
    List<Document> documents =
        Reading.all(SeparatedText::new, "a.txt", new ByteArrayInputStream(bytes), overrides);
    assertThat(Reading.all(SeparatedText::new, "a.txt", Reading.trickle(bytes), overrides))
        .as("one byte at a time")
        .isEqualTo(documents);
    return documents;
  }

  @Test
  void a_separator_stands_between_documents() {
    String text =
        "\uFEFFOnce upon a time.\n\nThe end.\n<|endoftext|>\n\n  第二个故事。<|endoftext|><|endoftext|>\n";
    List<Document> documents = read(text, "<|endoftext|>");
    assertThat(told(documents)).containsExactly("Once upon a time.\n\nThe end.", "  第二个故事。");
    int second = text.substring(0, text.indexOf("  第")).getBytes(StandardCharsets.UTF_8).length;
    assertThat(documents)
        .extracting(Document::id)
        .containsExactly(Reading.file("a.txt").id(3), Reading.file("a.txt").id(second));
    assertThat(told(read("a<|endoftext|<|endoftext|>b", "<|endoftext|>")))
        .containsExactly("a<|endoftext|", "b");
  }

  @Test
  void line_breaks_alone_stand_for_blank_lines() {
    String text = "第一篇\r\n还是第一篇\r\n \t\r\n\r\n\r\nsecond\nstill\n\n   third";
    assertThat(told(read(text, "\\n\\n")))
        .containsExactly("第一篇\r\n还是第一篇", "second\nstill", "   third");
    assertThat(told(read("a\n\nb\n\n\nc", "\\n\\n\\n"))).containsExactly("a\n\nb", "c");
    assertThat(read("", "\\n\\n")).isEmpty();
    assertThat(read("\n \n\n", "\\n\\n")).isEmpty();
    assertThat(read(" ", "x")).isEmpty();
  }

  @Test
  void invalid_bytes_break_their_document_alone() {
    byte[] bytes = "good\n\nb?d\n\ngood".getBytes(StandardCharsets.UTF_8);
    bytes[7] = (byte) 0xFF;
    assertThat(told(read(bytes, "\\n\\n")))
        .containsExactly("good", "invalid_utf8: byte 1 of the record (0xFF) is not UTF-8", "good");
  }

  @Test
  void without_the_separator_memory_is_bounded() {
    byte[] bytes = ("x".repeat(3 << 20) + "##end").getBytes(StandardCharsets.UTF_8);
    assertThat(
            told(
                Reading.all(
                    SeparatedText::new,
                    "a.txt",
                    new ByteArrayInputStream(bytes),
                    "separator = \"##\", max-document-characters = 10")))
        .containsExactly(
            "broken_record: goes on for more than 1,048,696 bytes without read.separator ##",
            "end");
  }
}
