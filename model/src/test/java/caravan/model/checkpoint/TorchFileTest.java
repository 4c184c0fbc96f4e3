package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that the real torch wrote (make_torch.py), whole and damaged. */
class TorchFileTest {
  private static final Path GOLDEN =
      Path.of(System.getProperty("caravan.root"), "model/src/test/resources/golden/torch");
  private static final Configuration HADOOP = new Configuration();

  @TempDir private Path folder;

  private static TorchFile open(Path file) {
    return TorchFile.openStateDict(
        Directory.of(file.getParent().toString(), HADOOP), file.getFileName().toString());
  }

  private static float[] floats(TensorFile file, String name) {
    int length = (int) (long) file.shapes().get(name).stream().reduce(1L, (a, b) -> a * b);
    float[] values = new float[length];
    try (FloatPointer floats = new FloatPointer(Math.max(1, length))) {
      file.read(name, WeightSink.into(floats), 0);
      floats.get(values);
    }
    return values;
  }

  @Test
  void everyWayThatATensorLiesInItsStorageIsReadAsTorchReadsIt() {
    try (TorchFile file = open(GOLDEN.resolve("views.pt"));
        SafeTensors wanted =
            SafeTensors.open(GOLDEN.resolve("views.safetensors").toString(), HADOOP)) {
      assertThat(file.shapes().keySet()).isEqualTo(wanted.shapes().keySet()).hasSize(15);
      wanted
          .shapes()
          .forEach(
              (name, shape) -> {
                assertThat(file.shapes().get(name)).as(name).isEqualTo(shape);
                assertThat(floats(file, name)).as(name).isEqualTo(floats(wanted, name));
              });
    }
  }

  /** What a pickle of {@code os.system(command)} looks like. */
  private static byte[] calling(String module, String name) {
    return ("\u0080\u0002c" + module + "\n" + name + "\nX\u0003\0\0\0x.y\u0085R.")
        .getBytes(StandardCharsets.ISO_8859_1);
  }

  @Test
  void aPickleThatNamesCodeIsRefusedByThatName() throws IOException {
    for (String name : new String[] {"posix.system", "builtins.eval", "torch.load"}) {
      int dot = name.indexOf('.');
      Path file = withPickle(calling(name.substring(0, dot), name.substring(dot + 1)));
      refused(file, "names " + name + ", which is no part of a state dict; nothing was executed");
    }
  }

  /** Protocol 4 takes both names from the stack. */
  @Test
  void namesFromTheStackAreRefusedToo() throws IOException {
    byte[] pickle =
        "\u0080\u0004\u008c\u0005posix\u008c\u0006system\u0093."
            .getBytes(StandardCharsets.ISO_8859_1);
    refused(withPickle(pickle), "names posix.system");
  }

  @Test
  void filesOfOtherKindsAreRefusedWithTheWayOut() throws IOException {
    refused(GOLDEN.resolve("legacy.pt"), "written by PyTorch before 1.6");
    Path text = Files.writeString(folder.resolve("text.pt"), "version https://git-lfs");
    refused(text, "not a file of torch.save");
    refused(Files.createFile(folder.resolve("empty.pt")), "not a file of torch.save");
    Map<String, byte[]> script = files();
    script.put("views/constants.pkl", new byte[0]);
    refused(zip(script, ZipEntry.STORED), "a TorchScript program, wanted a state dict");
    refused(zip(files(), ZipEntry.DEFLATED), "is compressed (method 8), wanted stored files");
    Map<String, byte[]> big = files();
    big.put("views/byteorder", "big".getBytes(StandardCharsets.US_ASCII));
    refused(zip(big, ZipEntry.STORED), "byte order big, wanted little");
    refused(withPickle("\u0080\u0002].".getBytes(StandardCharsets.ISO_8859_1)), "holds a list");
    Map<String, byte[]> none = files();
    none.remove("views/data.pkl");
    refused(zip(none, ZipEntry.STORED), "a zip archive with 0 files data.pkl");
  }

  @Test
  void sizesThatLieAreRefused() throws IOException {
    Map<String, byte[]> missing = files();
    missing.remove("views/data/0");
    refused(
        zip(missing, ZipEntry.STORED), "tensor whole: storage 0 is missing, wanted 60 elements");
    Map<String, byte[]> shorter = files();
    shorter.put("views/data/0", new byte[100]);
    refused(zip(shorter, ZipEntry.STORED), "storage 0 has 100 bytes, wanted 60 elements of 4");

    byte[] pickle = files().get("views/data.pkl");
    int at = new String(pickle, StandardCharsets.ISO_8859_1).indexOf("cpuq") + 5;
    // K 60: a storage of 60 elements; after it the offset 0, the shape (6, 10), strides.
    assertThat(Arrays.copyOfRange(pickle, at, at + 2)).containsExactly('K', 60);
    byte[] fewer = pickle.clone();
    fewer[at + 1] = 59;
    refused(withPickle(fewer), "offset 0 in storage 0 of 59 elements");
  }

  @Test
  void everyTruncationIsRefused() throws IOException {
    byte[] whole = Files.readAllBytes(GOLDEN.resolve("views.pt"));
    Path file = folder.resolve("cut.pt");
    for (int length = 0; length < whole.length; length += 37) {
      Files.write(file, Arrays.copyOf(whole, length));
      assertThatThrownBy(() -> open(file))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("cut.pt");
    }
  }

  /** Some bytes of the pickle or of the archive are others: a clear refusal, or other numbers. */
  @Test
  void randomDamageNeverHangsNorBreaksTheReader() throws IOException {
    byte[] pickle = files().get("views/data.pkl");
    byte[] checkpoint = Files.readAllBytes(GOLDEN.resolve("ckpt.pt"));
    Random random = new Random(7);
    assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () -> {
          int refused = 0;
          for (int i = 0; i < 20_000; i++) {
            byte[] damaged = damaged(pickle, random);
            refused += refuses(() -> Pickle.read(damaged, "pickle", new TorchObjects("pickle")));
          }
          assertThat(refused).isBetween(5_000, 20_000);
          Path file = folder.resolve("damaged.pt");
          for (int i = 0; i < 300; i++) {
            Files.write(file, damaged(checkpoint, random));
            refuses(() -> TorchModel.read(file.toString(), HADOOP).close());
          }
        });
  }

  private static int refuses(Runnable reading) {
    try {
      reading.run();
      return 0;
    } catch (IllegalArgumentException e) {
      assertThat(e.getMessage()).isNotBlank();
      return 1;
    }
  }

  /** One to four bytes changed, or a stretch copied elsewhere, or the end cut off. */
  private static byte[] damaged(byte[] bytes, Random random) {
    byte[] copy = bytes.clone();
    for (int n = random.nextInt(4); n >= 0; n--) {
      copy[random.nextInt(copy.length)] = (byte) random.nextInt(256);
    }
    if (random.nextInt(4) == 0) {
      int length = random.nextInt(40);
      int from = random.nextInt(copy.length - length);
      System.arraycopy(bytes, from, copy, random.nextInt(copy.length - length), length);
    }
    return random.nextInt(8) == 0 ? Arrays.copyOf(copy, random.nextInt(copy.length)) : copy;
  }

  /** A list within a list within a list … is not walked; one that contains itself neither. */
  @Test
  void depthAndCirclesDoNotMatter() {
    byte[] deep = new byte[200_002];
    Arrays.fill(deep, 0, 100_001, (byte) ']');
    Arrays.fill(deep, 100_001, 200_001, (byte) 'a');
    deep[200_001] = '.';
    assertThat(Pickle.kind(Pickle.read(deep, "deep", new TorchObjects("deep"))))
        .isEqualTo("a list");
    byte[] circle = "]q\0h\0ah\0h\0h\0as.".getBytes(StandardCharsets.ISO_8859_1);
    assertThatThrownBy(() -> Pickle.read(circle, "circle", new TorchObjects("circle")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("circle, byte");
  }

  @Test
  void aPickleOfVeryManyOperationsIsRefused() {
    byte[] many = new byte[5_000_000];
    Arrays.fill(many, (byte) '0');
    for (int i = 0; i < many.length; i += 2) {
      many[i] = '}';
    }
    assertThatThrownBy(() -> Pickle.read(many, "many", new TorchObjects("many")))
        .hasMessageContaining("many, byte 3999999: more than 4000000 operations");
  }

  private void refused(Path file, String message) {
    assertThatThrownBy(() -> open(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(file.getFileName().toString())
        .hasMessageContaining(message);
  }

  private Path withPickle(byte[] pickle) throws IOException {
    Map<String, byte[]> files = files();
    files.put("views/data.pkl", pickle);
    return zip(files, ZipEntry.STORED);
  }

  private static Map<String, byte[]> files() throws IOException {
    Map<String, byte[]> files = new LinkedHashMap<>();
    try (ZipFile zip = new ZipFile(GOLDEN.resolve("views.pt").toFile())) {
      for (ZipEntry entry : zip.stream().toArray(ZipEntry[]::new)) {
        files.put(entry.getName(), zip.getInputStream(entry).readAllBytes());
      }
    }
    return files;
  }

  private Path zip(Map<String, byte[]> files, int method) throws IOException {
    var bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.setMethod(method);
      for (Map.Entry<String, byte[]> file : files.entrySet()) {
        ZipEntry entry = new ZipEntry(file.getKey());
        if (method == ZipEntry.STORED) {
          CRC32 crc = new CRC32();
          crc.update(file.getValue());
          entry.setSize(file.getValue().length);
          entry.setCrc(crc.getValue());
        }
        zip.putNextEntry(entry);
        zip.write(file.getValue());
      }
    }
    return Files.write(folder.resolve("made.pt"), bytes.toByteArray());
  }
}
