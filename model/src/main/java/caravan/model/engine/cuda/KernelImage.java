package caravan.model.engine.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * Machine code of all kernels for one architecture, compiled by NVRTC at first use and kept under
 * CARAVAN_CACHE (default ~/.cache/caravan) in cuda/, by the sources, the options, NVRTC's version
 * and the driver's.
 */
final class KernelImage {
  /** Names of the source files, one a line. */
  private static final String LIST = "kernels.txt";

  private static final int DIGEST_BYTES = 32;
  private static final int HOPPER = 90;

  private KernelImage() {}

  /**
   * @param capability compute capability times ten
   * @param driverVersion part of the cache's key
   */
  static byte[] of(int capability, Precision precision, int driverVersion) {
    String source = source();
    String[] options = options(capability, precision);
    String key =
        String.join(
            "\n",
            source,
            String.join(" ", options),
            "nvrtc " + Driver.compilerVersion(),
            "driver " + driverVersion);
    Path file =
        cache()
            .resolve(
                "sm_"
                    + capability
                    + "-"
                    + (precision.half() ? "bf16" : "float")
                    + "-"
                    + HexFormat.of().formatHex(digest(key.getBytes(StandardCharsets.UTF_8)), 0, 12)
                    + ".cubin");
    byte[] kept = read(file);
    if (kept != null) {
      return kept;
    }
    byte[] image = Driver.compile("kernels.cu", source, options);
    write(file, image);
    return image;
  }

  /**
   * Hopper with the suffix a: its matrix instructions for whole warp groups are in no other
   * architecture.
   *
   * @param capability compute capability times ten
   */
  static String[] options(int capability, Precision precision) {
    String architecture = "sm_" + capability + (capability == HOPPER ? "a" : "");
    return new String[] {
      "--gpu-architecture=" + architecture,
      "--std=c++17",
      "-DREAL_BF16=" + (precision.half() ? 1 : 0)
    };
  }

  /** All kernels as one text: each include replaced by the file, once. */
  static String source() {
    StringBuilder text = new StringBuilder();
    Set<String> seen = new LinkedHashSet<>();
    resource(LIST)
        .lines()
        .filter(name -> !name.isBlank())
        .forEach(name -> append(name, text, seen));
    return text.toString();
  }

  private static void append(String name, StringBuilder text, Set<String> seen) {
    if (!seen.add(name)) {
      return;
    }
    int line = 1;
    text.append("#line 1 \"").append(name).append("\"\n");
    for (String content : resource(name).split("\n", -1)) {
      line++;
      if (content.startsWith("#include \"")) {
        append(content.substring(10, content.indexOf('"', 10)), text, seen);
        text.append("#line ").append(line).append(" \"").append(name).append("\"\n");
      } else if (!content.startsWith("#pragma once")) {
        text.append(content).append('\n');
      }
    }
  }

  private static String resource(String name) {
    try (InputStream in = KernelImage.class.getResourceAsStream("kernels/" + name)) {
      if (in == null) {
        throw new IllegalStateException("engine cuda: the jar has no kernel source " + name);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path cache() {
    String folder = System.getenv("CARAVAN_CACHE");
    Path root =
        folder == null || folder.isBlank()
            ? Path.of(System.getProperty("user.home"), ".cache", "caravan")
            : Path.of(folder);
    return root.resolve("cuda");
  }

  /** Null when there is none or it is not what was written: a digest stands before the image. */
  private static byte[] read(Path file) {
    try {
      if (!Files.exists(file)) {
        return null;
      }
      byte[] all = Files.readAllBytes(file);
      if (all.length <= DIGEST_BYTES) {
        return null;
      }
      byte[] image = Arrays.copyOfRange(all, DIGEST_BYTES, all.length);
      return Arrays.equals(digest(image), Arrays.copyOf(all, DIGEST_BYTES)) ? image : null;
    } catch (IOException e) {
      return null;
    }
  }

  private static void write(Path file, byte[] image) {
    try {
      Files.createDirectories(file.getParent());
      Path part = Files.createTempFile(file.getParent(), "kernels", ".part");
      byte[] all = Arrays.copyOf(digest(image), DIGEST_BYTES + image.length);
      System.arraycopy(image, 0, all, DIGEST_BYTES, image.length);
      Files.write(part, all);
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      System.err.println(
          "engine cuda: cannot keep the compiled kernels in "
              + file.getParent()
              + " ("
              + e
              + "): they are compiled again at each start; set CARAVAN_CACHE to a writable folder");
    }
  }

  private static byte[] digest(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
