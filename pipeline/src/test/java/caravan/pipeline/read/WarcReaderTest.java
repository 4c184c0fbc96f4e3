package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class WarcReaderTest {
  private static String record(String type, String payload) {
    return "WARC/1.0\r\nWARC-Type: %s\r\nWARC-Target-URI: http://x.org/路\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n"
        .formatted(type, payload.getBytes(StandardCharsets.UTF_8).length, payload);
  }

  private static WarcReader reader(String file) {
    return new WarcReader(new ByteArrayInputStream(file.getBytes(StandardCharsets.UTF_8)), 100);
  }

  private static String text(WarcReader.Entry entry) {
    return new String(entry.payload(), StandardCharsets.UTF_8);
  }

  @Test
  void records_come_with_headers_payload_and_position() throws IOException {
    String first = record("warcinfo", "software: x\r\n\r\n");
    WarcReader reader = reader(first + record("conversion", "第一行\n\nWARC/1.0 in text"));
    assertThat(reader.next().header("warc-type")).isEqualTo("warcinfo");
    WarcReader.Entry second = reader.next();
    assertThat(second.position()).isEqualTo(first.getBytes(StandardCharsets.UTF_8).length);
    assertThat(second.header("warc-target-uri")).isEqualTo("http://x.org/路");
    assertThat(text(second)).isEqualTo("第一行\n\nWARC/1.0 in text");
    assertThat(reader.next()).isNull();
  }

  @Test
  void a_payload_longer_than_the_maximum_is_kept_up_to_its_beginning() throws IOException {
    WarcReader reader = reader(record("response", "a".repeat(9_000)) + record("response", "b"));
    WarcReader.Entry first = reader.next();
    assertThat(first.payload()).hasSize(4_096);
    assertThat(first.length()).isEqualTo(9_000);
    assertThat(text(reader.next())).isEqualTo("b");
  }

  @Test
  void what_is_no_record_is_reported_and_the_next_record_is_found() throws IOException {
    WarcReader reader =
        reader(
            "garbage\nmore\n"
                + record("a", "1").replace("Length: 1", "Length: x")
                + record("b", "2"));
    assertThat(reader.next().damage())
        .isEqualTo("13 bytes at byte 0 begin no record, wanted WARC/1.0 or 1.1: \"garbage\"");
    assertThat(reader.next().damage())
        .isEqualTo("record at byte 13 has Content-Length \"x\", wanted a number");
    assertThat(reader.next().damage()).contains("begin no record").contains("\"1\"");
    assertThat(text(reader.next())).isEqualTo("2");
    assertThat(reader.next()).isNull();
  }

  @Test
  void a_file_that_ends_in_a_record_says_where() throws IOException {
    String file = record("a", "1") + record("b", "0123456789");
    WarcReader reader = reader(file.substring(0, file.length() - 8));
    reader.next();
    assertThatThrownBy(reader::next)
        .isInstanceOf(EOFException.class)
        .hasMessageMatching("the record at byte 8\\d ends after 6 of 10 bytes");
    assertThatThrownBy(() -> reader("WARC/1.0\r\nWARC-Type: x\r\n").next())
        .isInstanceOf(EOFException.class)
        .hasMessage("the record at byte 0 ends after its header");
  }
}
