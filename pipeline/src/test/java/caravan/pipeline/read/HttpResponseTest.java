package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;

class HttpResponseTest {
  private static HttpResponse parse(String headers, byte[] body) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(headers.getBytes(StandardCharsets.ISO_8859_1));
    bytes.writeBytes(body);
    return HttpResponse.parse(bytes.toByteArray(), 1_000);
  }

  private static String body(HttpResponse response) {
    return new String(response.body(), StandardCharsets.UTF_8);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void status_type_charset_and_body_are_read() {
    HttpResponse response =
        parse("HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=\"GBK\"\r\n\r\n", utf8("正文"));
    assertThat(response.status()).isEqualTo(200);
    assertThat(response.mediaType()).isEqualTo("text/html");
    assertThat(response.charset()).isEqualTo("GBK");
    assertThat(body(response)).isEqualTo("正文");
    assertThat(parse("HTTP/2 404\n\n", new byte[0]).status()).isEqualTo(404);
  }

  @Test
  void codings_are_taken_off_also_where_the_crawler_did_already() throws IOException {
    String chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assertThat(body(parse(chunked, utf8("3\r\n甲\r\n4;x=y\r\nabcd\r\n0\r\n\r\n"))))
        .isEqualTo("甲abcd");
    assertThat(body(parse(chunked, utf8("<p>plain")))).isEqualTo("<p>plain");
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
      gzip.write(utf8("正文"));
    }
    String gzipped = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
    assertThat(body(parse(gzipped, packed.toByteArray()))).isEqualTo("正文");
    assertThat(body(parse(gzipped, utf8("plain")))).isEqualTo("plain");
  }

  @Test
  void what_cannot_be_decoded_says_why() throws IOException {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> parse("nonsense", new byte[0]))
        .withMessage("no HTTP status line: \"nonsense\"");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> parse("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", utf8("xyz")))
        .withMessage("Content-Encoding br, wanted gzip, deflate or none");
    ByteArrayOutputStream bomb = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(bomb)) {
      gzip.write(new byte[100_000]);
    }
    String gzipped = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
    assertThatIllegalArgumentException()
        .isThrownBy(() -> parse(gzipped, bomb.toByteArray()))
        .withMessage("the body has more than 1,000 bytes when decompressed");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> parse(gzipped, new byte[] {0x1F, (byte) 0x8B, 8, 0}))
        .withMessageStartingWith("Content-Encoding gzip, but the body is damaged");
  }
}
