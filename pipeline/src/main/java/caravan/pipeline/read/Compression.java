package caravan.pipeline.read;

import com.github.luben.zstd.ZstdInputStream;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Locale;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.io.compress.GzipCodec;

/**
 * Compressed files, known by the endings of their names: {@code .gz}, {@code .bz2}, {@code .zst}.
 * They may hold several members; one that is cut off or damaged ends with an {@link IOException}.
 */
final class Compression {
  private static final String ENDING = "(?i)\\.(gz|bz2|zst)$";
  private static final GzipCodec GZIP = new GzipCodec();

  static {
    GZIP.setConf(new Configuration(false));
  }

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
    return switch (name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT)) {
      case "gz" -> GZIP.createInputStream(in);
      // Hadoop's takes what is no bzip2 for an empty file.
      case "bz2" -> new BZip2CompressorInputStream(new BufferedInputStream(in, 1 << 16), true);
      case "zst" -> new ZstdInputStream(in);
      default -> in;
    };
  }
}
