package caravan.pipeline.read;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;
import java.util.zip.InflaterInputStream;

/**
 * An HTTP response as a crawler stored it.
 *
 * @param headers by name in lower case; of a repeated one the last
 * @param body without the codings of its transfer and content
 */
record HttpResponse(int status, Map<String, String> headers, byte[] body) {
  private static final Pattern STATUS = Pattern.compile("HTTP/\\S+\\s+(\\d{3})(?:\\s.*)?");
  private static final Pattern CHARSET =
      Pattern.compile("charset\\s*=\\s*[\"']?\\s*([A-Za-z0-9_:.-]+)", Pattern.CASE_INSENSITIVE);

  /**
   * @param maxBytes of the decoded body
   * @throws IllegalArgumentException when the bytes are no response, or its body cannot be decoded
   */
  static HttpResponse parse(byte[] bytes, int maxBytes) {
    int bodyStart = bodyStart(bytes);
    String head = new String(bytes, 0, bodyStart, StandardCharsets.ISO_8859_1);
    String[] lines = head.split("\r?\n");
    Matcher status = STATUS.matcher(lines[0].strip());
    if (!status.matches()) {
      String shown = lines[0].substring(0, Math.min(80, lines[0].length()));
      throw new IllegalArgumentException("no HTTP status line: \"%s\"".formatted(shown));
    }
    Map<String, String> headers = new TreeMap<>();
    for (int i = 1; i < lines.length; i++) {
      int colon = lines[i].indexOf(':');
      if (colon > 0) {
        headers.put(
            lines[i].substring(0, colon).strip().toLowerCase(Locale.ROOT),
            lines[i].substring(colon + 1).strip());
      }
    }
    byte[] body = Arrays.copyOfRange(bytes, bodyStart, bytes.length);
    body = withoutChunks(headers, body);
    body = withoutContentCoding(headers, body, maxBytes);
    return new HttpResponse(Integer.parseInt(status.group(1)), headers, body);
  }

  private static int bodyStart(byte[] bytes) {
    for (int i = 0; i + 1 < bytes.length; i++) {
      if (bytes[i] == '\n') {
        if (bytes[i + 1] == '\n') {
          return i + 2;
        }
        if (bytes[i + 1] == '\r' && i + 2 < bytes.length && bytes[i + 2] == '\n') {
          return i + 3;
        }
      }
    }
    return bytes.length;
  }

  /** Without parameters, in lower case; empty when it has none. */
  String mediaType() {
    String type = headers.getOrDefault("content-type", "");
    int semicolon = type.indexOf(';');
    return (semicolon < 0 ? type : type.substring(0, semicolon)).strip().toLowerCase(Locale.ROOT);
  }

  /** The character set that the header names; empty when it names none. */
  String charset() {
    Matcher charset = CHARSET.matcher(headers.getOrDefault("content-type", ""));
    return charset.find() ? charset.group(1) : "";
  }

  /** Crawlers that decode the transfer leave the header; what is no chunk then is the body. */
  private static byte[] withoutChunks(Map<String, String> headers, byte[] body) {
    if (!headers
        .getOrDefault("transfer-encoding", "")
        .toLowerCase(Locale.ROOT)
        .contains("chunked")) {
      return body;
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream(body.length);
    int at = 0;
    while (at < body.length) {
      int end = at;
      while (end < body.length && body[end] != '\n') {
        end++;
      }
      String size = new String(body, at, Math.min(end - at, 64), StandardCharsets.ISO_8859_1);
      Matcher hex = Pattern.compile("([0-9A-Fa-f]{1,7})\\s*(?:;.*)?").matcher(size.strip());
      if (!hex.matches()) {
        if (out.size() == 0) {
          return body;
        }
        throw new IllegalArgumentException(
            "chunk at byte %,d of the body has size \"%s\"".formatted(at, size.strip()));
      }
      int length = Integer.parseInt(hex.group(1), 16);
      at = end + 1;
      if (length == 0) {
        break;
      }
      out.write(body, at, Math.max(0, Math.min(length, body.length - at)));
      at += length;
      while (at < body.length && (body[at] == '\r' || body[at] == '\n')) {
        at++;
      }
    }
    return out.toByteArray();
  }

  private static byte[] withoutContentCoding(
      Map<String, String> headers, byte[] body, int maxBytes) {
    String coding = headers.getOrDefault("content-encoding", "").toLowerCase(Locale.ROOT).strip();
    boolean gzipped = body.length > 2 && (body[0] & 0xFF) == 0x1F && (body[1] & 0xFF) == 0x8B;
    boolean decoded = coding.isEmpty() || coding.equals("identity") || coding.equals("utf-8");
    if (decoded || body.length == 0 || (coding.contains("gzip") && !gzipped)) {
      return body; // Crawlers that decode the content leave the header.
    }
    if (!gzipped && !coding.equals("deflate")) {
      throw new IllegalArgumentException(
          "Content-Encoding %s, wanted gzip, deflate or none".formatted(coding));
    }
    ByteArrayInputStream stored = new ByteArrayInputStream(body);
    try (InputStream in = gzipped ? new GZIPInputStream(stored) : new InflaterInputStream(stored)) {
      byte[] content = in.readNBytes(maxBytes + 1);
      if (content.length > maxBytes) {
        throw new IllegalArgumentException(
            "the body has more than %,d bytes when decompressed".formatted(maxBytes));
      }
      return content;
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "Content-Encoding %s, but the body is damaged: %s".formatted(coding, e.getMessage()), e);
    }
  }
}
