package caravan.model.engine;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** Loads libraries of our own (sources in src/main/c), which lie in the jar. */
public final class NativeLibrary {
  private NativeLibrary() {}

  /**
   * Copies a library out of the jar into a file that is deleted as soon as it is loaded.
   *
   * @throws IOException when the folder for temporary files cannot be written
   * @throws UnsatisfiedLinkError when it is of another machine, or that folder allows no programs
   */
  public static void load(InputStream resource) throws IOException {
    try (resource) {
      Path file = Files.createTempFile("caravan", ".so");
      try {
        Files.copy(resource, file, StandardCopyOption.REPLACE_EXISTING);
        System.load(file.toString());
      } finally {
        Files.delete(file);
      }
    }
  }
}
