package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IndexFileTest {
  private static final int ENTRIES = 20_000;

  private final Random random = new Random(3);
  private final Storage storage = new Storage(new Configuration());

  @TempDir Path directory;

  @Test
  void everyKindIsReadAsItWasWritten() throws IOException {
    for (IndexFile.Kind kind : IndexFile.Kind.values()) {
      List<Entry> entries = entries(kind);
      IndexFile file = write(kind, entries);
      assertThat(file.entries()).isEqualTo(ENTRIES);
      assertThat(file.first()).isEqualTo(entries.get(0).first());
      assertThat(file.last()).isEqualTo(entries.get(ENTRIES - 1).first());
      try (IndexFileReader reader = reader(file)) {
        for (Entry entry : entries) {
          assertThat(Entry.ORDER.compare(reader.take(), entry)).isZero();
        }
        assertThat(reader.head()).isNull();
      }
    }
  }

  @Test
  void aSeekFindsTheFirstEntryThatIsNotBelow() throws IOException {
    List<Entry> entries = entries(IndexFile.Kind.TEXTS);
    IndexFile file = write(IndexFile.Kind.TEXTS, entries);
    for (int step : new int[] {1, 7, 500, 6000}) {
      try (IndexFileReader reader = reader(file)) {
        for (int i = 0; i < ENTRIES; i += step) {
          reader.seek(entries.get(i).first() - (i % 2));
          assertThat(Entry.ORDER.compare(reader.head(), entries.get(i))).isZero();
        }
        reader.seek(Long.MAX_VALUE);
        assertThat(reader.head()).isNull();
      }
    }
  }

  @Test
  void aDamagedBlockAndATruncatedFileAreRefused() throws IOException {
    IndexFile file = write(IndexFile.Kind.SETS, entries(IndexFile.Kind.SETS));
    Path path = directory.resolve(file.path());
    byte[] bytes = Files.readAllBytes(path);
    bytes[70_000] ^= 1;
    Files.write(path, bytes);
    try (IndexFileReader reader = reader(file)) {
      assertThatThrownBy(() -> readAll(reader))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageMatching(
              ".*\\.entries: block 1 is damaged or of another program version; restore the index"
                  + " from a copy, or make it again from the first day on in an empty directory");
    }
    bytes[bytes.length - 1] ^= 1;
    Files.write(path, bytes);
    assertThatThrownBy(() -> reader(file)).hasMessageContaining(": its end is damaged");
  }

  private static void readAll(IndexFileReader reader) {
    while (reader.head() != null) {
      reader.take();
    }
  }

  private List<Entry> entries(IndexFile.Kind kind) {
    List<Entry> entries = new ArrayList<>();
    for (int i = 0; i < ENTRIES; i++) {
      long first = random.nextLong() >>> kind.zeroBits << kind.zeroBits;
      byte[] payload = new byte[kind.hasPayload ? random.nextInt(300) : 0];
      random.nextBytes(payload);
      entries.add(new Entry(first, kind.hasSecond ? random.nextLong() : 0, payload));
    }
    entries.sort(Entry.ORDER);
    return entries;
  }

  private IndexFile write(IndexFile.Kind kind, List<Entry> entries) throws IOException {
    try (IndexFileWriter writer = new IndexFileWriter(storage, path(), kind)) {
      for (Entry entry : entries) {
        writer.write(entry);
      }
      return writer.commit();
    }
  }

  private IndexFileReader reader(IndexFile file) throws IOException {
    return new IndexFileReader(storage, path(), file);
  }

  private org.apache.hadoop.fs.Path path() {
    return new org.apache.hadoop.fs.Path(directory.toString());
  }
}
