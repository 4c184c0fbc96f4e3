package caravan.pipeline.read;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.zip.GZIPOutputStream;

/** WARC and WET files in the shape of Common Crawl's. */
public final class WebArchive {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private int records;

  /** A record with its payload. */
  public WebArchive record(String type, String url, String contentType, byte[] payload) {
    String header =
        """
        WARC/1.0\r
        WARC-Type: %s\r
        WARC-Date: 2024-05-18T01:58:10Z\r
        WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-%012d>\r
        Content-Length: %d\r
        Content-Type: %s\r
        WARC-Target-URI: %s\r
        \r
        """
            .formatted(type, ++records, payload.length, contentType, url);
    out.writeBytes(header.getBytes(StandardCharsets.UTF_8));
    out.writeBytes(payload);
    out.writeBytes("\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    return this;
  }

  /** A response record. */
  public WebArchive response(String url, String status, String contentType, byte[] body) {
    ByteArrayOutputStream http = new ByteArrayOutputStream();
    String head =
        "HTTP/1.1 %s\r\nContent-Type: %s\r\nX-Crawler-Content-Encoding: gzip\r\n\r\n"
            .formatted(status, contentType);
    http.writeBytes(head.getBytes(StandardCharsets.UTF_8));
    http.writeBytes(body);
    return record("response", url, "application/http; msgtype=response", http.toByteArray());
  }

  public WebArchive response(String url, String contentType, String body, Charset charset) {
    return response(url, "200 OK", contentType, body.getBytes(charset));
  }

  /** A record of a WET file. */
  public WebArchive conversion(String url, String text) {
    return record("conversion", url, "text/plain", text.getBytes(StandardCharsets.UTF_8));
  }

  public byte[] bytes() {
    return out.toByteArray();
  }

  /** Every record a gzip member of its own, when each was added to an archive of its own. */
  public static byte[] gzip(WebArchive... members) throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    for (WebArchive member : members) {
      try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
        gzip.write(member.bytes());
      }
    }
    return packed.toByteArray();
  }
}
