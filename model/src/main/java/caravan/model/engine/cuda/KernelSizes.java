package caravan.model.engine.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/** What the kernels become for an architecture: how many, how large, how long it takes. */
final class KernelSizes {
  private KernelSizes() {}

  /**
   * Compiles every kernel for the architectures, in both types, without a GPU.
   *
   * @param folder for the machine code
   */
  static void print(String[] architectures, Optional<String> folder) throws IOException {
    Libraries.requireCompiler();
    for (String architecture : architectures) {
      for (Precision precision : new Precision[] {Precision.BF16, Precision.FP32}) {
        long start = System.nanoTime();
        String[] flags = KernelImage.options(Integer.parseInt(architecture), precision);
        byte[] image = Driver.compile("kernels.cu", KernelImage.source(), flags);
        String target = flags[0].substring(flags[0].indexOf('=') + 1);
        String type = precision.half() ? "bf16" : "float";
        if (folder.isPresent()) {
          Files.write(Path.of(folder.get(), target + "-" + type + ".cubin"), image);
        }
        CudaBench.print(
            "\"part\": \"compile\", \"architecture\": \"%s\", \"type\": \"%s\", \"nvrtc\": %d,"
                + " \"kernels\": %d, \"bytes\": %d, \"seconds\": %.2f",
            target,
            type,
            Driver.compilerVersion(),
            kernels(image),
            image.length,
            (System.nanoTime() - start) / 1e9);
      }
    }
  }

  /** Sections of machine code, one per kernel; their names stand in two tables. */
  private static long kernels(byte[] image) {
    return Pattern.compile("\0\\.text\\.(\\w+)")
        .matcher(new String(image, StandardCharsets.ISO_8859_1))
        .results()
        .map(found -> found.group(1))
        .distinct()
        .count();
  }
}
