package caravan.pipeline;

import caravan.pipeline.StageReport.Group;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import net.openhft.hashing.LongTupleHashFunction;
import org.apache.hadoop.fs.Path;

/**
 * Writes one task's tagged documents: kept ones to {@code data/}, dropped ones to {@code
 * dropped/reason=…/}, and counts and hashes them on the way. File names are new in every attempt:
 * what a lost attempt leaves behind is in no manifest.
 */
final class PartWriter implements Closeable {
  private static final LongTupleHashFunction HASH = LongTupleHashFunction.xx128();

  private record Key(String reason, String source, String language) {}

  /** Sums of a group. */
  private static final class Sums {
    long documents;
    long inputCharacters;
    long characters;
  }

  private final Storage storage;
  private final Path directory;
  private final String name = "part-" + UUID.randomUUID();
  private final Map<String, DocumentFile> files = new TreeMap<>();
  private final Map<Key, Sums> groups = new HashMap<>();
  private final Map<String, Long> edits = new TreeMap<>();
  private final long[] rowHash = new long[2];
  private long documents;
  private boolean finished;
  private long firstHash;
  private long secondHash;
  private ByteBuffer row = ByteBuffer.allocate(1 << 16);
  private String brokenExample = "";

  /**
   * @param directory qualified
   */
  PartWriter(Storage storage, Path directory) {
    this.storage = storage;
    this.directory = directory;
  }

  void add(Tagged tagged) throws IOException {
    Document d = tagged.document();
    DocumentFile.Encoded encoded = DocumentFile.Encoded.of(d, tagged.detail());
    file(tagged.reason()).write(encoded);
    Sums sums =
        groups.computeIfAbsent(
            new Key(tagged.reason(), d.source(), d.language()), key -> new Sums());
    sums.documents++;
    documents++;
    sums.inputCharacters += tagged.inputCharacters();
    sums.characters += encoded.characters();
    tagged.edits().forEach((edit, characters) -> edits.merge(edit, characters, Long::sum));
    hash(encoded, tagged.reason());
    if (brokenExample.isEmpty() && Documents.BROKEN_REASONS.contains(tagged.reason())) {
      brokenExample = d.path() + ": " + tagged.detail();
    }
  }

  /** Documents added so far. */
  long documents() {
    return documents;
  }

  private DocumentFile file(String reason) {
    return files.computeIfAbsent(
        reason,
        r -> {
          boolean dropped = !r.equals(Documents.KEPT);
          String folder = dropped ? DocumentFiles.DROPPED + "/reason=" + r : DocumentFiles.DATA;
          return new DocumentFile(storage, directory, folder + "/" + name + ".parquet", dropped);
        });
  }

  /**
   * Adds the row's hash to the sums: each field with its length, so that no two rows look alike.
   */
  private void hash(DocumentFile.Encoded d, String reason) {
    row.clear();
    put(d.id());
    put(d.source());
    put(d.path());
    put(d.language());
    put(d.text());
    d.meta()
        .forEach(
            (key, value) -> {
              put(key.getBytes(StandardCharsets.UTF_8));
              put(value.getBytes(StandardCharsets.UTF_8));
            });
    put(reason.getBytes(StandardCharsets.UTF_8));
    put(d.detail());
    HASH.hashBytes(row.array(), 0, row.position(), rowHash);
    firstHash += rowHash[0];
    secondHash += rowHash[1];
  }

  private void put(byte[] field) {
    int needed = row.position() + field.length + Integer.BYTES;
    if (needed > row.capacity()) {
      ByteBuffer larger = ByteBuffer.allocate(Math.max(needed, 2 * row.capacity()));
      row = larger.put(row.array(), 0, row.position());
    }
    row.putInt(field.length).put(field);
  }

  /** Closes the files: they are whole now. */
  Part finish(String configHash, List<Split> splits) throws IOException {
    closeFiles();
    finished = true;
    List<Group> counted = new ArrayList<>();
    groups.forEach(
        (k, s) ->
            counted.add(
                new Group(
                    k.reason, k.source, k.language, s.documents, s.inputCharacters, s.characters)));
    counted.sort(Comparator.comparing(Group::toString));
    return new Part(
        name,
        configHash,
        splits,
        files.values().stream().map(DocumentFile::described).toList(),
        counted,
        edits,
        List.of(firstHash, secondHash),
        brokenExample);
  }

  private void closeFiles() throws IOException {
    for (DocumentFile file : files.values()) {
      file.close();
    }
  }

  /** Deletes the files unless they were finished. */
  @Override
  public void close() throws IOException {
    if (!finished) {
      try {
        closeFiles();
      } finally {
        files.values().forEach(f -> storage.delete(new Path(directory, f.relativePath())));
      }
    }
  }
}
