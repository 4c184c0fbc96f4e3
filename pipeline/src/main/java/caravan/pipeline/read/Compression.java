package caravan.pipeline.read;

import com.github.luben.zstd.ZstdInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;

/**
 * Compressed files, known by the endings of their names: {@code .gz}, {@code .bz2}, {@code .zst}.
 */
final class Compression {
  private static final String ENDING = "(?i)\\.(gz|bz2|zst)$";
  private static final CompressionCodecFactory CODECS =
      new CompressionCodecFactory(new Configuration(false));

  private Compression() {}

  static boolean isCompressed(String name) {
    return !withoutEnding(name).equals(name);
  }

  /** The name of what is compressed. */
  static String withoutEnding(String name) {
    return name.replaceFirst(ENDING, "");
  }

  /** The decompressed bytes; those of a file that is not compressed as they are. */
  static InputStream decompress(String name, InputStream in) throws IOException {
    if (name.toLowerCase(java.util.Locale.ROOT).endsWith(".zst")) {
      return new ZstdInputStream(in);
    }
    CompressionCodec codec =
        isCompressed(name) ? CODECS.getCodec(new Path("x" + ending(name))) : null;
    return codec == null ? in : codec.createInputStream(in);
  }

  private static String ending(String name) {
    return name.substring(name.lastIndexOf('.')).toLowerCase(java.util.Locale.ROOT);
  }
}
