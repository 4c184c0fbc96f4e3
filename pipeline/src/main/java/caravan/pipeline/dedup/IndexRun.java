package caravan.pipeline.dedup;

import caravan.pipeline.IdSet;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import com.fasterxml.jackson.core.JacksonException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;

/**
 * A run of {@link DedupStage} beside a {@link DedupIndex}: the parts that it is compared against,
 * and the one that it makes. That is prepared while the stage runs and committed after the stage's
 * own output: a run that was killed between the two only commits when it is run again.
 */
public final class IndexRun {
  private final DedupIndex index;
  private final List<IndexPart> earlier;
  private final String name;
  private final String input;
  private final String output;
  private final Map<String, Object> config;
  private final List<IndexFile> written = new ArrayList<>();
  private final long[] sums = new long[2];

  IndexRun(
      DedupIndex index,
      List<IndexPart> earlier,
      String name,
      String input,
      String output,
      Map<String, Object> config) {
    this.index = index;
    this.earlier = earlier;
    this.name = name;
    this.input = input;
    this.output = output;
    this.config = config;
  }

  /** The settings that the run's result depends on, the earlier parts among them. */
  public Map<String, Object> config() {
    return config;
  }

  /** Whether the part is there already, so that an up-to-date output needs nothing more. */
  public boolean isPrepared() {
    return part().isPresent();
  }

  /**
   * Makes the part visible to later runs, after the output that it belongs to.
   *
   * @throws IllegalStateException when the stage has not run
   */
  public void commit() {
    IndexPart part =
        part().orElseThrow(() -> new IllegalStateException("no part was prepared; report it"));
    List<IndexPart> parts = index.parts();
    if (earlier.size() < parts.size() && parts.get(earlier.size()).equals(part)) {
      return;
    }
    index.commit(earlier.size(), part);
    index.storage().delete(new Path(index.directory(), DedupIndex.PREPARED));
    index.deleteLeftovers();
  }

  /** Ids of documents whose deletion was asked for. */
  public IdSet deleted() {
    return index.deleted();
  }

  /** Different texts of earlier runs. */
  long earlierTexts() {
    return earlier.stream().mapToLong(IndexPart::texts).sum();
  }

  /** The part of a run of these settings: committed, or prepared. */
  private Optional<IndexPart> part() {
    String settings = Manifest.hashOf(config);
    List<IndexPart> parts = index.parts();
    if (earlier.size() < parts.size()) {
      IndexPart own = parts.get(earlier.size());
      if (own.settings().equals(settings)
          && own.name().equals(name)
          && own.output().equals(output)) {
        return Optional.of(own);
      }
    }
    Path file = preparedFile();
    if (!index.storage().exists(file)) {
      return Optional.empty();
    }
    try {
      return Optional.of(Json.MAPPER.readValue(index.storage().read(file), IndexPart.class))
          .filter(part -> part.settings().equals(settings) && part.output().equals(output));
    } catch (JacksonException e) {
      return Optional.empty(); // cut off by a kill: the stage makes it again
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot read it", e);
    }
  }

  private Path preparedFile() {
    return new Path(index.directory(), DedupIndex.PREPARED + "/" + name + ".json");
  }

  /** The files of the earlier parts. */
  IndexFiles earlierFiles() {
    IndexFiles files =
        new IndexFiles(
            new SerializableConfiguration(index.conf()), index.directory().toString(), List.of());
    for (IndexPart part : earlier) {
      files = files.with(part.files());
    }
    return files;
  }

  /** Begins a part: what killed runs left goes. */
  void begin() {
    written.clear();
    Arrays.fill(sums, 0);
    index.storage().delete(new Path(index.directory(), DedupIndex.PREPARED));
    index.deleteLeftovers();
  }

  /**
   * Writes entries of one kind.
   *
   * @param entries sorted by {@link Route#RANGE}
   */
  List<IndexFile> write(Entries entries, IndexFile.Kind kind) {
    List<IndexFile> files = new ArrayList<>();
    SerializableConfiguration conf = new SerializableConfiguration(index.conf());
    for (IndexFileTask.Written file : IndexFileTask.write(entries, kind, conf, index.directory())) {
      files.add(file.file());
      sums[0] += file.firstSum();
      sums[1] += file.secondSum();
    }
    written.addAll(files);
    return files;
  }

  /** The part is whole, though not visible. */
  void prepare(long texts) {
    IndexPart part =
        new IndexPart(
            name,
            input,
            output,
            Manifest.hashOf(config),
            DedupIndex.hash(earlier),
            IndexPart.contentHash(texts, sums),
            texts,
            List.copyOf(written));
    index.storage().writeAtomically(preparedFile(), Json.bytes(part));
  }
}
