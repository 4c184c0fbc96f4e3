package caravan.pipeline.dedup;

import caravan.pipeline.IdSet;
import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import com.fasterxml.jackson.core.type.TypeReference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/**
 * What earlier corpora hold, on any file system: for each different text its key, its LSH buckets,
 * its shingles and which document stayed for it. New documents are deduplicated against it without
 * reading the earlier texts, and two earlier texts are never compared again.
 *
 * <p>Each run adds a part: {@code postings/}, {@code texts/} and {@code sets/}, which {@link
 * IndexFile} describes. {@code manifest.json} names parameters and parts, oldest first, and is
 * written last: files that it does not list are leftovers of a run that was killed. {@code
 * prepared/} holds the part of a run whose output may not be committed yet, {@code deletions/}
 * lists the documents that had fallen to deleted ones.
 *
 * <p>A part is known by its input's fingerprint and by the run's output. A run whose input or
 * output has a part already sees the parts before that one alone and puts a new one in its place: a
 * repeated run never finds its own documents. One run at a time may write an index.
 */
public final class DedupIndex {
  static final String KIND = "dedup-index";
  static final String PREPARED = "prepared";
  static final String DELETIONS = "deletions";

  private static final Set<String> FOLDERS =
      Arrays.stream(IndexFile.Kind.values())
          .map(IndexFile.Kind::label)
          .collect(Collectors.toCollection(TreeSet::new));

  private final Configuration conf;
  private final Storage storage;
  private final Path directory;
  private final Map<String, Object> parameters;
  private List<IndexPart> parts = List.of();
  private IdSet deleted = IdSet.NONE;

  private DedupIndex(Configuration conf, Path directory, Map<String, Object> parameters) {
    this.conf = conf;
    this.storage = new Storage(conf);
    this.directory = directory;
    this.parameters = parameters;
  }

  /**
   * An index, which need not be there yet.
   *
   * @throws IllegalArgumentException when the directory holds something else, files are missing, or
   *     it was made with other parameters
   */
  public static DedupIndex open(
      Configuration conf, String directory, DedupConfig config, long seed) {
    Path path = new Storage(conf).qualify(new Path(directory));
    DedupIndex index = new DedupIndex(conf, path, IndexParameters.of(config, seed));
    Optional<Manifest> manifest = Manifest.find(conf, path);
    if (manifest.isEmpty()) {
      index.refuseOtherFiles();
    } else {
      index.check(manifest.get());
      index.read(manifest.get());
    }
    return index;
  }

  /**
   * An index that is there, of any parameters.
   *
   * @throws IllegalArgumentException when there is none
   */
  public static DedupIndex open(Configuration conf, String directory) {
    Path path = new Storage(conf).qualify(new Path(directory));
    Manifest manifest = Manifest.read(conf, path, KIND);
    DedupIndex index = new DedupIndex(conf, path, parameters(manifest));
    index.read(manifest);
    return index;
  }

  private void read(Manifest manifest) {
    parts =
        Json.MAPPER.convertValue(
            manifest.extra().get("parts"), new TypeReference<List<IndexPart>>() {});
    deleted = new IdSet(Json.MAPPER.convertValue(manifest.extra().get("deleted"), long[].class));
  }

  private static Map<String, Object> parameters(Manifest manifest) {
    return Json.MAPPER.convertValue(
        manifest.extra().get("parameters"), new TypeReference<Map<String, Object>>() {});
  }

  private void refuseOtherFiles() {
    for (FileStatus file : storage.filesBelow(directory)) {
      String path =
          storage.qualify(file.getPath()).toString().substring(directory.toString().length() + 1);
      String folder = path.replaceFirst("/.*", "");
      if (!folder.equals(PREPARED) && !FOLDERS.contains(folder)) {
        throw new IllegalArgumentException(
            "index %s: has no %s but holds %s; wanted an index, or a directory that is empty or not there yet"
                .formatted(directory, Manifest.FILE_NAME, path));
      }
    }
  }

  private void check(Manifest manifest) {
    if (!manifest.kind().equals(KIND)) {
      throw new IllegalArgumentException(
          "index %s: holds %s, wanted %s; name another directory"
              .formatted(directory, manifest.kind(), KIND));
    }
    IndexParameters.refuseOthers(directory, parameters(manifest), parameters);
    manifest.checkFiles(conf, directory);
  }

  /**
   * A run beside this index.
   *
   * @param output of the run
   * @param config all other settings that the run's result depends on
   * @throws IllegalArgumentException when the input and the output have different parts, or an
   *     earlier part is out of date
   */
  public IndexRun run(Inputs inputs, String output, Map<String, Object> config) {
    String name = name(inputs);
    String target = storage.qualify(new Path(output)).toString();
    int place = place(name, target, inputs.spec());
    for (int i = 0; i < place; i++) {
      String before = hash(parts.subList(0, i));
      if (!parts.get(i).earlier().equals(before)) {
        throw new IllegalArgumentException(
            "index %s: its part of %s (output %s) was made before an earlier part changed; run dedup of that input again, with the same output"
                .formatted(directory, parts.get(i).input(), parts.get(i).output()));
      }
    }
    List<IndexPart> earlier = List.copyOf(parts.subList(0, place));
    Map<String, Object> all = new LinkedHashMap<>(config);
    all.put(
        "index",
        Map.of(
            "parts", earlier.size(),
            "contentHash", hash(earlier),
            "deleted", Arrays.hashCode(deleted.hashes())));
    return new IndexRun(this, earlier, name, inputs.spec(), target, all);
  }

  /** Which part a run makes: its own earlier one, or the next. */
  private int place(String name, String output, String spec) {
    int byOutput = -1;
    int byName = -1;
    for (int i = 0; i < parts.size(); i++) {
      byOutput = parts.get(i).output().equals(output) ? i : byOutput;
      byName = parts.get(i).name().equals(name) ? i : byName;
    }
    if (byOutput >= 0 && byName >= 0 && byOutput != byName) {
      throw new IllegalArgumentException(
          "index %s: output %s is that of %s, and the input %s has its output in %s; choose that output for it"
              .formatted(
                  directory,
                  output,
                  parts.get(byOutput).input(),
                  spec,
                  parts.get(byName).output()));
    }
    int place = Math.max(byOutput, byName);
    return place < 0 ? parts.size() : place;
  }

  /** Equal for equal files, wherever they lie. */
  private static String name(Inputs inputs) {
    return Json.sha256(
            inputs.fingerprints().stream()
                .map(input -> input.fingerprint() + " " + input.size())
                .sorted()
                .toList())
        .substring(0, 32);
  }

  static String hash(List<IndexPart> parts) {
    return Json.sha256(parts.stream().map(IndexPart::contentHash).toList());
  }

  /** Puts a part in its place: it is visible now. */
  void commit(int place, IndexPart part) {
    List<IndexPart> all = new ArrayList<>(parts);
    if (place < all.size()) {
      all.set(place, part);
    } else {
      all.add(part);
    }
    write(all);
  }

  private void write(List<IndexPart> all) {
    List<Manifest.OutputFile> files =
        all.stream()
            .flatMap(part -> part.files().stream())
            .map(file -> new Manifest.OutputFile(file.path(), file.bytes(), file.sha256()))
            .toList();
    Manifest.of(
            KIND,
            List.of(),
            Manifest.hashOf(parameters),
            Map.of(
                "parts", (long) all.size(),
                "texts", all.stream().mapToLong(IndexPart::texts).sum(),
                "bytes", all.stream().mapToLong(IndexPart::bytes).sum()),
            files,
            hash(all),
            Map.of("parameters", parameters, "parts", all, "deleted", deleted.hashes()))
        .write(conf, directory);
    parts = List.copyOf(all);
  }

  /**
   * What a deletion took out.
   *
   * @param texts of the documents, and those that had fallen to them
   * @param fallen how many of these had fallen to them
   * @param list of those that had fallen: a JSON object with id and fellTo on each line
   */
  public record Deletion(long texts, long fallen, String list) {}

  /** Which of these ids the index knows: of a text that it holds, or of an earlier deletion. */
  public Set<String> known(SparkSession spark, Collection<String> ids) {
    Set<String> known = new TreeSet<>();
    new IndexDeletion(this, new JavaSparkContext(spark.sparkContext()))
        .find(IdSet.of(ids))
        .forEach(found -> known.add(found.id()));
    ids.stream().filter(this::isDeleted).forEach(known::add);
    return known;
  }

  /** Whether documents of this id were deleted: the index keeps a hash of it and no text. */
  public boolean isDeleted(String id) {
    return deleted.contains(id);
  }

  /**
   * Takes documents out, and the texts that had fallen to them. Later runs that read a document of
   * such an id drop it as {@link caravan.pipeline.DocumentDeletion#REASON}: of the ids the index
   * keeps hashes alone.
   */
  public Deletion delete(SparkSession spark, Collection<String> ids) {
    IdSet wanted = IdSet.of(ids);
    IndexDeletion.Rewritten rewritten =
        new IndexDeletion(this, new JavaSparkContext(spark.sparkContext())).delete(wanted);
    deleted = deleted.with(wanted);
    write(rewritten.parts());
    storage.delete(new Path(directory, PREPARED));
    deleteLeftovers();
    return rewritten.deletion();
  }

  IdSet deleted() {
    return deleted;
  }

  /** Files that no part names, of a run that was killed or of what is replaced. */
  void deleteLeftovers() {
    Set<String> listed = new HashSet<>();
    parts.forEach(part -> part.files().forEach(file -> listed.add(file.path())));
    for (String folder : FOLDERS) {
      for (FileStatus file : storage.filesBelow(new Path(directory, folder))) {
        if (!listed.contains(folder + "/" + file.getPath().getName())) {
          storage.delete(file.getPath());
        }
      }
    }
  }

  List<IndexPart> parts() {
    return parts;
  }

  Path directory() {
    return directory;
  }

  Storage storage() {
    return storage;
  }

  Configuration conf() {
    return conf;
  }
}
