package caravan.pipeline.dedup;

import caravan.pipeline.IdSet;
import caravan.pipeline.Json;
import caravan.pipeline.Storage;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Takes documents out of a {@link DedupIndex}: their texts, and the texts that had fallen to them,
 * which are in no output either. Files that hold none of them stay as they are. The driver holds 8
 * bytes for each text that goes.
 */
final class IndexDeletion {
  private final DedupIndex index;
  private final JavaSparkContext spark;
  private final SerializableConfiguration conf;
  private final String directory;

  IndexDeletion(DedupIndex index, JavaSparkContext spark) {
    this.index = index;
    this.spark = spark;
    this.conf = new SerializableConfiguration(index.conf());
    this.directory = index.directory().toString();
  }

  /** A text whose document's id is wanted. */
  record Found(long key, String id) implements Serializable {}

  /** What the parts become. */
  record Rewritten(List<IndexPart> parts, DedupIndex.Deletion deletion) {}

  /** Writes what is left, which is not visible yet, and the list of what had fallen. */
  Rewritten delete(IdSet ids) {
    long[] own = find(ids).stream().mapToLong(Found::key).sorted().toArray();
    String name = Json.sha256(ids.hashes()).substring(0, 16) + ".jsonl";
    Path list = new Path(index.directory(), DedupIndex.DELETIONS + "/" + name);
    boolean isRepeated = own.length == 0 && index.storage().exists(list); // which says it all
    long[] fallen = isRepeated ? new long[0] : listFallen(own, list);
    long[] keys = LongStream.concat(Arrays.stream(own), Arrays.stream(fallen)).sorted().toArray();
    List<IndexPart> parts = without(keys);
    long before = index.parts().stream().mapToLong(IndexPart::texts).sum();
    long after = parts.stream().mapToLong(IndexPart::texts).sum();
    return new Rewritten(
        parts, new DedupIndex.Deletion(before - after, fallen.length, list.toString()));
  }

  /** The texts whose documents have these ids. */
  List<Found> find(IdSet ids) {
    return texts()
        .mapPartitions(
            texts -> {
              List<Found> found = new ArrayList<>();
              texts.forEachRemaining(
                  text -> {
                    String id = new String(text.id(), StandardCharsets.UTF_8);
                    if (ids.contains(id)) {
                      found.add(new Found(text.key(), id));
                    }
                  });
              return found.iterator();
            })
        .collect();
  }

  /**
   * Lists the texts that fell to others: a JSON object on each line, with {@code id} and {@code
   * fellTo}.
   *
   * @param roots ascending
   * @return their keys
   */
  private long[] listFallen(long[] roots, Path file) {
    JavaRDD<IndexedText> fallen =
        texts()
            .mapPartitions(
                texts ->
                    filtered(
                        texts,
                        text -> !text.stayed() && Arrays.binarySearch(roots, text.root()) >= 0));
    long[] keys = new long[1024];
    int count = 0;
    try (OutputStream out = index.storage().create(file)) {
      for (Iterator<IndexedText> each = fallen.toLocalIterator(); each.hasNext(); ) {
        IndexedText text = each.next();
        Map<String, String> line = new LinkedHashMap<>();
        line.put("id", new String(text.id(), StandardCharsets.UTF_8));
        line.put("fellTo", new String(text.rootId(), StandardCharsets.UTF_8));
        out.write((Json.compact(line) + "\n").getBytes(StandardCharsets.UTF_8));
        keys = count == keys.length ? Arrays.copyOf(keys, 2 * count) : keys;
        keys[count++] = text.key();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot write it", e);
    }
    return Arrays.copyOf(keys, count);
  }

  private static Iterator<IndexedText> filtered(
      Iterator<IndexedText> texts, java.util.function.Predicate<IndexedText> wanted) {
    return new Step<>() {
      @Override
      protected boolean advance() {
        if (!texts.hasNext()) {
          return false;
        }
        IndexedText text = texts.next();
        if (wanted.test(text)) {
          emit(text);
        }
        return true;
      }
    };
  }

  private JavaRDD<IndexedText> texts() {
    List<IndexFile> files = new ArrayList<>();
    index.parts().forEach(part -> files.addAll(part.files()));
    files.removeIf(file -> file.kind() != IndexFile.Kind.TEXTS);
    SerializableConfiguration conf = this.conf;
    String directory = this.directory;
    return spark
        .parallelize(files, Math.max(1, files.size()))
        .mapPartitions(
            those ->
                all(
                    new IndexLookup(
                        new Storage(conf.value()), new Path(directory), located(those))));
  }

  private static Iterator<IndexedText> all(IndexLookup texts) {
    return new Step<>() {
      @Override
      protected boolean advance() {
        if (texts.isEnded()) {
          return false;
        }
        emit(IndexedText.of(texts.take()));
        return true;
      }
    };
  }

  private static List<IndexLookup.Located> located(Iterator<IndexFile> files) {
    List<IndexLookup.Located> located = new ArrayList<>();
    files.forEachRemaining(file -> located.add(new IndexLookup.Located(0, file)));
    return located;
  }

  /**
   * The parts without some texts; files that change are written anew.
   *
   * @param keys ascending
   */
  private List<IndexPart> without(long[] keys) {
    List<IndexPart> parts = new ArrayList<>();
    for (IndexPart part : index.parts()) {
      SerializableConfiguration conf = this.conf;
      String directory = this.directory;
      List<Cut> cuts =
          spark
              .parallelize(part.files(), Math.max(1, part.files().size()))
              .map(file -> Cut.of(file, keys, new Storage(conf.value()), new Path(directory)))
              .collect();
      long texts = 0;
      long[] sums = new long[2];
      List<IndexFile> files = new ArrayList<>();
      for (Cut cut : cuts) {
        texts += cut.texts();
        sums[0] += cut.firstSum();
        sums[1] += cut.secondSum();
        files.addAll(cut.file());
      }
      parts.add(part.with(DedupIndex.hash(parts), texts, sums, files));
    }
    return parts;
  }

  /**
   * A file without some texts.
   *
   * @param file none when nothing is left
   * @param texts that are left, of a file of texts
   */
  private record Cut(List<IndexFile> file, long texts, long firstSum, long secondSum)
      implements Serializable {

    static Cut of(IndexFile file, long[] keys, Storage storage, Path index) {
      try (IndexFileWriter writer = new IndexFileWriter(storage, index, file.kind());
          IndexFileReader reader = new IndexFileReader(storage, index, file)) {
        long left = 0;
        while (reader.head() != null) {
          Entry entry = reader.take();
          long key = file.kind() == IndexFile.Kind.POSTINGS ? entry.second() : entry.first();
          if (Arrays.binarySearch(keys, key) < 0) {
            writer.write(entry);
            left++;
          }
        }
        List<IndexFile> kept = List.of(file);
        if (left < file.entries()) {
          kept = left == 0 ? List.of() : List.of(writer.commit());
        }
        long texts = file.kind() == IndexFile.Kind.TEXTS ? left : 0;
        return new Cut(kept, texts, writer.sums()[0], writer.sums()[1]);
      } catch (IOException e) {
        throw new UncheckedIOException(file.path() + ": cannot be rewritten", e);
      }
    }
  }
}
