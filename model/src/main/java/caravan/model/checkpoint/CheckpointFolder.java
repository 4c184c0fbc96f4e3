package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.bytedeco.javacpp.FloatPointer;

/**
 * One model directory: Hugging Face's files and, when it is a training checkpoint, {@code caravan/}
 * beside them. {@code caravan/state.json} is written first, so that even an interrupted directory
 * can be told from a foreign one, and {@code caravan/manifest.json} last: it is the commit.
 */
final class CheckpointFolder {
  static final String CARAVAN = "caravan";
  private static final String CONFIG = "config.json";
  private static final String GENERATION = "generation_config.json";

  /** Shape of a model with adapters: PEFT keeps the base's alone. */
  private static final String ADAPTED_CONFIG = "caravan/config.json";

  private static final String STATE = "caravan/state.json";
  private static final String OPTIMIZER = CheckpointTensors.OPTIMIZER;
  private static final String OUTER = CheckpointTensors.OUTER;
  private static final String MANIFEST = "caravan/manifest.json";
  private static final List<String> MOMENTS = CheckpointTensors.MOMENTS;
  private static final String OUTER_MOMENTUM = CheckpointTensors.OUTER_MOMENTUM;
  private static final Set<String> MODEL_FILES =
      Set.of(CONFIG, GENERATION, HuggingFaceWeights.FILE, PeftFiles.CONFIG, PeftFiles.WEIGHTS);

  /** What a foreign directory may hold of a tokenizer; our own manifests list theirs. */
  private static final List<String> TOKENIZER_FILES =
      List.of(
          "tokenizer.model",
          "tokenizer.json",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "vocab.json",
          "merges.txt",
          "chat_template.jinja",
          "tokenizer.bin");

  private static final ObjectMapper JSON = new ObjectMapper();

  private final Directory directory;

  CheckpointFolder(Directory directory) {
    this.directory = directory;
  }

  /** Whether it was written as a training checkpoint, whole or not. */
  boolean isOurs() {
    return directory.exists(CARAVAN);
  }

  boolean isModel() {
    return directory.exists(CONFIG) || isAdapter();
  }

  /** Whether it holds adapters and not a whole model. */
  boolean isAdapter() {
    return directory.exists(PeftFiles.CONFIG);
  }

  /** Whether its writing was finished. */
  boolean isCommitted() {
    return directory.exists(MANIFEST);
  }

  String path() {
    return directory.path();
  }

  boolean isSame(CheckpointFolder other) {
    return directory.qualifiedPath().equals(other.directory.qualifiedPath());
  }

  /** Its path from any working directory. */
  String absolutePath() {
    return directory.absolutePath();
  }

  /** Path of the training's output that it lies in. */
  String output() {
    return directory.above(2);
  }

  /** Takes the commit away first: a half-deleted checkpoint must not pass for a whole one. */
  void delete() {
    if (isCommitted()) {
      directory.delete(MANIFEST);
    }
    directory.deleteAll();
  }

  /** Writes a training checkpoint. */
  void write(long step, Checkpoint checkpoint) {
    write(step, checkpoint.head(), unused -> writeTensors(checkpoint));
  }

  /** Writes a training checkpoint whose tensors lie elsewhere. */
  void write(long step, CheckpointHead head, TensorFiles tensors) {
    if (directory.exists()) {
      delete();
    }
    var files = new LinkedHashMap<String, Directory.Fingerprint>();
    files.put(STATE, directory.write(STATE, json(head.state())));
    files.putAll(head.adaptation().isPresent() ? writeAdapterHead(head) : writeHead(head));
    files.putAll(tensors.write(directory.path()));
    directory.write(MANIFEST, manifest(step, files));
  }

  private Map<String, Directory.Fingerprint> writeTensors(Checkpoint checkpoint) {
    var files = new LinkedHashMap<String, Directory.Fingerprint>();
    TrainedShape shape = TrainedShape.of(checkpoint.config(), checkpoint.adaptation());
    files.put(shape.file(), writeWeights(checkpoint));
    checkpoint
        .moments()
        .ifPresent(
            moments ->
                files.put(
                    OPTIMIZER,
                    writeVectors(OPTIMIZER, MOMENTS, moments.vectors(), moments.length())));
    checkpoint
        .outerMomentum()
        .ifPresent(
            momentum ->
                files.put(
                    OUTER,
                    writeVectors(
                        OUTER,
                        List.of(OUTER_MOMENTUM),
                        List.of(momentum),
                        outerLength(checkpoint))));
    return files;
  }

  private static long outerLength(Checkpoint checkpoint) {
    return TrainedShape.of(checkpoint.config(), checkpoint.adaptation()).layout().length();
  }

  /** Writes Hugging Face's files alone, or PEFT's. */
  Map<String, Directory.Fingerprint> writeModel(Checkpoint checkpoint) {
    CheckpointHead head = checkpoint.head();
    var files =
        new LinkedHashMap<>(head.adaptation().isPresent() ? writePeftHead(head) : writeHead(head));
    files.put(TrainedShape.of(head.config(), head.adaptation()).file(), writeWeights(checkpoint));
    return files;
  }

  private Directory.Fingerprint writeWeights(Checkpoint checkpoint) {
    TrainedShape shape = TrainedShape.of(checkpoint.config(), checkpoint.adaptation());
    return CheckpointTensors.writeModel(directory, shape, FloatSource.of(checkpoint.parameters()));
  }

  private Map<String, Directory.Fingerprint> writePeftHead(CheckpointHead head) {
    var files = new LinkedHashMap<>(writeTokenizer(head.tokenizerFiles()));
    files.put(
        PeftFiles.CONFIG,
        PeftFiles.writeConfig(directory, head.config(), head.adaptation().orElseThrow()));
    return files;
  }

  private Map<String, Directory.Fingerprint> writeAdapterHead(CheckpointHead head) {
    var files = new LinkedHashMap<>(writePeftHead(head));
    byte[] shape = HuggingFaceConfig.configJson(head.config(), head.specialTokens());
    files.put(ADAPTED_CONFIG, directory.write(ADAPTED_CONFIG, shape));
    return files;
  }

  private Map<String, Directory.Fingerprint> writeTokenizer(Map<String, byte[]> tokenizerFiles) {
    var files = new LinkedHashMap<String, Directory.Fingerprint>();
    tokenizerFiles.forEach(
        (name, content) -> {
          if (MODEL_FILES.contains(name) || name.contains("/")) {
            throw new IllegalArgumentException(
                "tokenizer file " + name + ": wanted a plain file name other than the model's");
          }
          files.put(name, directory.write(name, content));
        });
    return files;
  }

  private Map<String, Directory.Fingerprint> writeHead(CheckpointHead head) {
    var files = new LinkedHashMap<>(writeTokenizer(head.tokenizerFiles()));
    SpecialTokens special = head.specialTokens();
    files.put(
        CONFIG, directory.write(CONFIG, HuggingFaceConfig.configJson(head.config(), special)));
    files.put(
        GENERATION, directory.write(GENERATION, HuggingFaceConfig.generationConfigJson(special)));
    return files;
  }

  private Directory.Fingerprint writeVectors(
      String file, List<String> names, List<FloatPointer> vectors, long length) {
    List<SafeTensors.Source> sources = new ArrayList<>();
    for (int i = 0; i < vectors.size(); i++) {
      sources.add(new SafeTensors.Source(names.get(i), List.of(length), vectors.get(i), 0));
    }
    return directory.write(file, out -> SafeTensors.write(out, Map.of(), sources));
  }

  private static byte[] manifest(long step, Map<String, Directory.Fingerprint> files) {
    ObjectNode manifest = JSON.createObjectNode();
    manifest.put("format", "caravan-checkpoint");
    manifest.put("version", 1);
    manifest.put("step", step);
    ObjectNode list = manifest.putObject("files");
    files.forEach(
        (name, print) ->
            list.putObject(name).put("bytes", print.bytes()).put("sha256", print.sha256()));
    return json(manifest);
  }

  private static byte[] json(Object value) {
    try {
      return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(value);
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "checkpoint state cannot be written as JSON: " + e.getMessage(), e);
    }
  }

  /**
   * Compares the files with the manifest.
   *
   * @param part which files are to be read, and so compared
   * @return what is wrong, or empty
   */
  Optional<String> damage(Part part) {
    if (!isCommitted()) {
      return Optional.of(path() + ": no " + MANIFEST + ": its writing was interrupted");
    }
    try {
      for (Map.Entry<String, JsonNode> file : manifestFiles().properties()) {
        String name = file.getKey();
        boolean optimizer = name.equals(OPTIMIZER) || name.equals(OUTER);
        if (optimizer && part == Part.MODEL) {
          continue;
        }
        if (!directory.exists(name)) {
          return Optional.of(directory.path(name) + ": listed in " + MANIFEST + ", but missing");
        }
        Directory.Fingerprint got = directory.fingerprint(name);
        long bytes = file.getValue().path("bytes").asLong();
        String sha256 = file.getValue().path("sha256").asText();
        if (got.bytes() != bytes) {
          return Optional.of(
              directory.path(name) + ": " + got.bytes() + " bytes, manifest says " + bytes);
        }
        if (!got.sha256().equals(sha256)) {
          return Optional.of(
              directory.path(name) + ": sha256 " + got.sha256() + ", manifest says " + sha256);
        }
      }
    } catch (IllegalArgumentException e) {
      return Optional.of(e.getMessage());
    }
    return Optional.empty();
  }

  /** How much of a checkpoint is wanted. */
  enum Part {
    /** The model alone: evaluation, generation, the base of another training run. */
    MODEL,
    /** The optimizer's state too: to go on as if never stopped. */
    TRAINING
  }

  private JsonNode manifestFiles() {
    try {
      JsonNode files = JSON.readTree(directory.bytes(MANIFEST)).path("files");
      boolean model = files.has(CONFIG) && files.has(HuggingFaceWeights.FILE);
      boolean adapter = files.has(PeftFiles.CONFIG) && files.has(PeftFiles.WEIGHTS);
      if (!model && !adapter) {
        throw new IllegalArgumentException(
            directory.path(MANIFEST) + ": does not list the model's files");
      }
      return files;
    } catch (IOException e) {
      throw new IllegalArgumentException(
          directory.path(MANIFEST) + " is not JSON: " + e.getMessage(), e);
    }
  }

  /** A foreign directory's model, its weights from one file of several possible ones. */
  CheckpointHead read(String file, Function<LlamaConfig, WeightSink> weights) {
    CheckpointHead head = head();
    HuggingFaceWeights.read(directory, List.of(file), head.config(), weights);
    return head;
  }

  /**
   * The model, without keeping its weights; adapters are merged into their base, which is read into
   * memory for that.
   *
   * @param base of adapters, where it lies elsewhere than they say
   * @param weights makes what receives them
   */
  CheckpointHead read(Optional<String> base, Function<LlamaConfig, WeightSink> weights) {
    if (!isAdapter()) {
      CheckpointHead head = head();
      HuggingFaceWeights.read(directory, head.config(), weights);
      return head;
    }
    try (Checkpoint merged = read(Part.MODEL, base)) {
      HuggingFaceWeights.copy(merged, weights.apply(merged.config()));
      return merged.head();
    }
  }

  private CheckpointHead head() {
    String where = directory.path(CONFIG);
    byte[] file = directory.bytes(CONFIG);
    return new CheckpointHead(
        HuggingFaceConfig.config(file, where),
        HuggingFaceConfig.specialTokens(file, where),
        isOurs() ? state() : Map.of(),
        tokenizerFiles(),
        Optional.empty());
  }

  /** Reads without comparing checksums. */
  Checkpoint read(Part part) {
    return read(part, Optional.empty());
  }

  /**
   * Reads without comparing checksums. Adapters are merged into their base where the model alone is
   * wanted.
   *
   * @param base of adapters, where it lies elsewhere than they say
   */
  Checkpoint read(Part part, Optional<String> base) {
    if (!isAdapter()) {
      return readWhole(part);
    }
    AdapterFolder adapter = new AdapterFolder(directory, base);
    if (part == Part.MODEL) {
      return adapter.merged(tokenizerFiles());
    }
    Checkpoint read = adapter.read(isOurs() ? state() : Map.of(), tokenizerFiles());
    try {
      Optional<OptimizerState> moments =
          directory.exists(OPTIMIZER) ? Optional.of(optimizer()) : Optional.empty();
      long length = outerLength(read);
      Optional<FloatPointer> outer =
          directory.exists(OUTER)
              ? Optional.of(vector(OUTER, OUTER_MOMENTUM, length))
              : Optional.empty();
      return new Checkpoint(
          read.config(),
          read.specialTokens(),
          read.parameters(),
          moments,
          outer,
          read.state(),
          read.tokenizerFiles(),
          read.adaptation());
    } catch (RuntimeException e) {
      read.close();
      throw e;
    }
  }

  /** The adapters alone, without the optimizer's state. */
  Checkpoint readAdapters(Optional<String> base) {
    return new AdapterFolder(directory, base).read(isOurs() ? state() : Map.of(), tokenizerFiles());
  }

  private Checkpoint readWhole(Part part) {
    CheckpointHead head = head();
    var owned = new ArrayList<FloatPointer>();
    try {
      owned.add(HuggingFaceWeights.read(directory, head.config()));
      Optional<OptimizerState> moments = Optional.empty();
      Optional<FloatPointer> outer = Optional.empty();
      if (part == Part.TRAINING && directory.exists(OPTIMIZER)) {
        moments = Optional.of(optimizer());
        owned.addAll(moments.get().vectors());
      }
      if (part == Part.TRAINING && directory.exists(OUTER)) {
        owned.add(vector(OUTER, OUTER_MOMENTUM, new ParameterLayout(head.config()).length()));
        outer = Optional.of(owned.get(owned.size() - 1));
      }
      return new Checkpoint(
          head.config(),
          head.specialTokens(),
          owned.get(0),
          moments,
          outer,
          head.state(),
          head.tokenizerFiles());
    } catch (RuntimeException e) {
      owned.forEach(FloatPointer::close);
      throw e;
    }
  }

  private OptimizerState optimizer() {
    Map<String, SafeTensors.Entry> entries;
    try (SafeTensors tensors = SafeTensors.open(directory, OPTIMIZER)) {
      entries = tensors.entries();
    }
    List<FloatPointer> vectors = new ArrayList<>();
    long length = 0;
    for (String name : MOMENTS.subList(0, Math.min(MOMENTS.size(), entries.size()))) {
      length = entries.containsKey(name) ? entries.get(name).length() : length;
      vectors.add(vector(OPTIMIZER, name, length));
    }
    return new OptimizerState(vectors, length);
  }

  private FloatPointer vector(String file, String name, long length) {
    try (SafeTensors tensors = SafeTensors.open(directory, file)) {
      String next = "restore the file, or resume from another checkpoint";
      tensors.vector(name, length, next);
      FloatPointer vector = new FloatPointer(length);
      try {
        tensors.read(name, WeightSink.into(vector), 0);
        return vector;
      } catch (RuntimeException e) {
        vector.close();
        throw e;
      }
    }
  }

  /** The step that its manifest names. */
  long step() {
    try {
      return JSON.readTree(directory.bytes(MANIFEST)).path("step").asLong();
    } catch (IOException e) {
      throw new IllegalArgumentException(
          directory.path(MANIFEST) + " is not JSON: " + e.getMessage(), e);
    }
  }

  /** Shape of the model. */
  LlamaConfig config() {
    String file = isAdapter() ? ADAPTED_CONFIG : CONFIG;
    return HuggingFaceConfig.config(directory.bytes(file), directory.path(file));
  }

  /** Content of state.json. */
  Map<String, Object> state() {
    try {
      return JSON.readValue(directory.bytes(STATE), new TypeReference<>() {});
    } catch (IOException e) {
      throw new IllegalArgumentException(
          directory.path(STATE) + " is not JSON: " + e.getMessage(), e);
    }
  }

  private Map<String, byte[]> tokenizerFiles() {
    var names = new ArrayList<String>();
    if (isOurs()) {
      manifestFiles().fieldNames().forEachRemaining(names::add);
      names.removeIf(name -> name.contains("/") || MODEL_FILES.contains(name));
    } else {
      names.addAll(TOKENIZER_FILES);
      names.removeIf(name -> !directory.exists(name));
    }
    var contents = new LinkedHashMap<String, byte[]>();
    names.forEach(name -> contents.put(name, directory.bytes(name)));
    return contents;
  }
}
