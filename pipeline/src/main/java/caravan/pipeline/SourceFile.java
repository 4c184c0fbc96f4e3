package caravan.pipeline;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import net.openhft.hashing.LongTupleHashFunction;

/**
 * An input file and what its documents are called.
 *
 * @param path with its scheme
 * @param relativePath below the input's root
 * @param source source name of its documents, unless they bring their own; empty for files of a
 *     stage's output, whose documents do
 * @param size bytes as stored
 * @param fingerprint changes when the content changes; see {@link Inputs}
 */
public record SourceFile(
    String path, String relativePath, String source, long size, String fingerprint)
    implements Serializable {

  /**
   * A document's made id: xxh3-128 of source name, relative path and position, in hexadecimal.
   *
   * @param position of the record in its file: bytes before its line, or records before it
   */
  public String id(long position) {
    byte[] key = (source + "\0" + relativePath + "\0" + position).getBytes(StandardCharsets.UTF_8);
    long[] hash = LongTupleHashFunction.xx128().hashBytes(key);
    HexFormat hex = HexFormat.of();
    return hex.toHexDigits(hash[0]) + hex.toHexDigits(hash[1]);
  }
}
