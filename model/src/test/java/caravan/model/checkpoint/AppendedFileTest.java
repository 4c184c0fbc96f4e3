package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AppendedFileTest {
  @TempDir Path folder;

  /** Local files by another scheme, as an object store's. */
  public static final class Objects extends RawLocalFileSystem {
    @Override
    public URI getUri() {
      return URI.create("objects:///");
    }
  }

  private AppendedFile objects() {
    Configuration hadoop = new Configuration();
    hadoop.setClass("fs.objects.impl", Objects.class, org.apache.hadoop.fs.FileSystem.class);
    return new AppendedFile(Directory.of("objects://" + folder, hadoop), "log");
  }

  private AppendedFile local() {
    return new AppendedFile(Directory.of(folder.toString(), new Configuration()), "log");
  }

  private static byte[] content(AppendedFile file) throws IOException {
    try (InputStream in = file.open()) {
      return in.readAllBytes();
    }
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void aLocalFileGrowsInPlace() throws IOException {
    AppendedFile file = local();
    file.replace(out -> out.write(bytes("a\n")));
    file.append(bytes("b\n"));
    local().append(bytes("c\n"));
    assertThat(folder.resolve("log")).hasContent("a\nb\nc\n");
    assertThat(content(local())).asString().isEqualTo("a\nb\nc\n");
  }

  @Test
  void whereNothingCanBeAppendedTheEndLiesInPartsUntilTheyAreGathered() throws Exception {
    AppendedFile file = objects();
    assertThat(content(file)).isEmpty();
    file.replace(out -> out.write(bytes("a\n")));
    file.append(bytes("b\n"));
    String large = "x".repeat(1 << 18) + "\n";
    file.append(bytes(large));
    file.append(bytes("c\n"));
    assertThat(folder.resolve("log")).hasContent("a\n");
    try (var parts = Files.list(folder.resolve("log.parts"))) {
      assertThat(parts.filter(p -> !p.toString().endsWith(".crc"))).hasSize(2);
    }
    assertThat(content(objects())).asString().isEqualTo("a\nb\n" + large + "c\n");
    file.gather();
    assertThat(Files.readString(folder.resolve("log"))).isEqualTo("a\nb\n" + large + "c\n");
    assertThat(content(objects())).hasSize(6 + large.length());
    file.append(bytes("d\n"));
    assertThat(content(objects())).asString().endsWith("c\nd\n");
  }

  @Test
  void partsThatACrashLeftBesideTheGatheredFileAreNotReadTwice() throws Exception {
    AppendedFile file = objects();
    file.replace(out -> out.write(bytes("a\n")));
    file.append(bytes("b\n"));
    byte[] part = Files.readAllBytes(folder.resolve("log.parts/000000000002"));
    file.gather();
    Files.createDirectories(folder.resolve("log.parts"));
    Files.write(folder.resolve("log.parts/000000000002"), part);
    assertThat(content(objects())).asString().isEqualTo("a\nb\n");
  }
}
