package caravan.pipeline.read;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.Charset;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * Text of another character set as UTF-8. Bytes that are none of its characters come out as {@link
 * #INVALID}, which UTF-8 never has: so the record they lie in is found invalid, and no other.
 */
final class Utf8Stream extends InputStream {
  static final byte INVALID = (byte) 0xFF;

  private static final int CHUNK = 1 << 14;

  private final InputStream in;
  private final CharsetDecoder decoder;
  private final ByteBuffer raw = ByteBuffer.allocate(CHUNK).flip();
  private final CharBuffer chars = CharBuffer.allocate(CHUNK);
  private byte[] utf8 = new byte[0];
  private int next;
  private boolean atEnd;

  Utf8Stream(InputStream in, Charset charset) {
    this.in = in;
    this.decoder =
        charset
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
  }

  static byte[] toUtf8(byte[] bytes, int from, int to, Charset charset) {
    try (InputStream in = new ByteArrayInputStream(bytes, from, to - from)) {
      return new Utf8Stream(in, charset).readAllBytes();
    } catch (IOException e) {
      throw new IllegalStateException("reading from memory", e);
    }
  }

  @Override
  public int read() throws IOException {
    return fill() ? utf8[next++] & 0xFF : -1;
  }

  @Override
  public int read(byte[] target, int from, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    if (!fill()) {
      return -1;
    }
    int count = Math.min(length, utf8.length - next);
    System.arraycopy(utf8, next, target, from, count);
    next += count;
    return count;
  }

  /** Whether there is a byte to give. */
  private boolean fill() throws IOException {
    while (next == utf8.length) {
      if (atEnd && !raw.hasRemaining()) {
        return false;
      }
      CoderResult result = decoder.decode(raw, chars, atEnd);
      byte[] decoded = chars.flip().toString().getBytes(StandardCharsets.UTF_8);
      chars.clear();
      next = 0;
      utf8 = decoded;
      if (result.isError()) {
        raw.position(raw.position() + result.length());
        utf8 = java.util.Arrays.copyOf(decoded, decoded.length + 1);
        utf8[decoded.length] = INVALID;
      } else if (result.isUnderflow() && !atEnd) {
        readMore();
      }
    }
    return true;
  }

  private void readMore() throws IOException {
    raw.compact();
    int count = in.read(raw.array(), raw.position(), raw.remaining());
    atEnd = count < 0;
    raw.position(raw.position() + Math.max(0, count)).flip();
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
