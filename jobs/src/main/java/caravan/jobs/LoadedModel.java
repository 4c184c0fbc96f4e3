package caravan.jobs;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointHead;
import caravan.model.checkpoint.SpecialTokens;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.Engines;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.StoredWeights;
import caravan.model.engine.WeightType;
import caravan.pipeline.Json;
import caravan.pipeline.Storage;
import caravan.pipeline.tokenize.Encoder;
import caravan.pipeline.tokenize.Tokenizer;
import caravan.pipeline.tokenize.TokenizerFiles;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;

/**
 * A checkpoint ready to be asked: its parameters, its tokenizer and an engine for its shape.
 * Weights that are wanted in another form than float32 are packed as they are read.
 */
final class LoadedModel implements AutoCloseable {
  private static final int HASHED_BYTES = 1 << 20;
  private static final String TOKENIZER_CONFIG = "tokenizer_config.json";

  private final CheckpointHead head;
  private final Weights weights;
  private final Tokenizer tokenizer;
  private final LlamaEngine engine;
  private final LlamaEngine.Kept kept;
  private final boolean addsBos;

  /** What the engine computes with: one of the two. */
  private record Weights(Optional<Checkpoint> whole, Optional<FrozenBase> packed)
      implements AutoCloseable {
    @Override
    public void close() {
      whole.ifPresent(Checkpoint::close);
      packed.ifPresent(FrozenBase::close);
    }
  }

  private LoadedModel(
      CheckpointHead head,
      Weights weights,
      Tokenizer tokenizer,
      boolean addsBos,
      LlamaEngine engine) {
    this.head = head;
    this.weights = weights;
    this.addsBos = addsBos;
    this.tokenizer = tokenizer;
    this.engine = engine;
    this.kept = engine.keep(parameters());
  }

  /**
   * @param path whatever {@link ModelFiles#open} takes
   * @param adapters what reading adapters takes
   * @param tokenizer a tokenizer.model, or a llama2.c tokenizer ({@code .bin}); the checkpoint's
   *     own where none is given
   * @param context how its positions are to be read
   * @throws IllegalArgumentException when there is no such model or tokenizer, or they do not fit
   *     each other
   */
  static LoadedModel open(
      String path,
      AdapterBase adapters,
      Optional<String> tokenizer,
      ModelContext context,
      String engine,
      int threads,
      Configuration hadoop) {
    return open(path, adapters, tokenizer, context, engine, threads, WeightType.F32, hadoop);
  }

  /**
   * @param weights what the engine makes of the parameters
   */
  static LoadedModel open(
      String path,
      AdapterBase adapters,
      Optional<String> tokenizer,
      ModelContext context,
      String engine,
      int threads,
      WeightType weights,
      Configuration hadoop) {
    if (weights == WeightType.F32 || !Engines.packs(engine)) {
      Checkpoint whole = ModelFiles.open(path, hadoop, adapters.base());
      return opened(
          whole.head(),
          new Weights(Optional.of(whole), Optional.empty()),
          path,
          tokenizer,
          context,
          shape -> Engines.open(engine, shape, threads, weights),
          hadoop);
    }
    return packed(path, adapters, tokenizer, context, threads, weights, hadoop);
  }

  private static LoadedModel packed(
      String path,
      AdapterBase adapters,
      Optional<String> tokenizer,
      ModelContext context,
      int threads,
      WeightType weights,
      Configuration hadoop) {
    FrozenBase[] packed = new FrozenBase[1];
    CheckpointHead head;
    try {
      head =
          ModelFiles.read(
              path,
              hadoop,
              adapters.base(),
              shape -> {
                packed[0] = FrozenBase.packed(shape, weights);
                return packed[0]::put;
              });
    } catch (RuntimeException e) {
      if (packed[0] != null) {
        packed[0].close();
      }
      throw e;
    }
    return opened(
        head,
        new Weights(Optional.empty(), Optional.of(packed[0])),
        path,
        tokenizer,
        context,
        shape -> new CpuEngine(shape, packed[0], threads),
        hadoop);
  }

  private static LoadedModel opened(
      CheckpointHead head,
      Weights weights,
      String path,
      Optional<String> tokenizer,
      ModelContext context,
      Function<LlamaConfig, LlamaEngine> engine,
      Configuration hadoop) {
    try {
      Tokenizer text = tokenizer(path, head, tokenizer, hadoop);
      boolean addsBos = tokenizer.isPresent() || addsBos(path, head.tokenizerFiles());
      return new LoadedModel(head, weights, text, addsBos, engine.apply(context.of(head.config())));
    } catch (RuntimeException e) {
      weights.close();
      throw e;
    }
  }

  /**
   * The tokenizer that a checkpoint is used with.
   *
   * @param path where the checkpoint was read from, for messages
   * @throws IllegalArgumentException when there is none, or it has ids that the model has not
   */
  static Tokenizer tokenizer(
      String path, CheckpointHead checkpoint, Optional<String> given, Configuration hadoop) {
    int embeddings = checkpoint.config().vocabSize();
    String location = given.orElse(path + "/" + Tokenizers.FILE);
    Tokenizer tokenizer =
        given.isPresent()
            ? read(location, embeddings, hadoop)
            : TokenizerFiles.open(checkpoint.tokenizerFiles(), Encoder.SPARK_NLP, path);
    if (tokenizer.vocabSize() > embeddings) {
      throw new IllegalArgumentException(
          "%s: %,d pieces, but the model %s has embeddings for %,d; give the model's own tokenizer"
              .formatted(location, tokenizer.vocabSize(), path, embeddings));
    }
    return tokenizer;
  }

  private static Tokenizer read(String location, int vocabSize, Configuration hadoop) {
    if (!location.endsWith(ModelFiles.LLAMA2C)) {
      return Tokenizers.read(location, hadoop);
    }
    Storage storage = new Storage(hadoop);
    Path file = new Path(location);
    if (!storage.exists(file)) {
      throw new IllegalArgumentException(
          "tokenizer %s: no such file; wanted a llama2.c tokenizer.bin".formatted(location));
    }
    return new Llama2cText(storage.read(file), vocabSize);
  }

  /**
   * Whether BOS stands before a text.
   *
   * @param asked what the settings say; else the checkpoint's {@code add_bos_token} decides, which
   *     speaks of its own tokenizer
   * @throws IllegalArgumentException when tokenizer_config.json is not JSON
   */
  boolean addsBos(Optional<Boolean> asked) {
    return asked.orElse(addsBos);
  }

  static boolean addsBos(String path, Map<String, byte[]> tokenizerFiles) {
    byte[] config = tokenizerFiles.get(TOKENIZER_CONFIG);
    if (config == null) {
      return true;
    }
    try {
      JsonNode says = Json.MAPPER.readTree(config).path("add_bos_token");
      return says.asBoolean(true);
    } catch (IOException e) {
      throw new IllegalArgumentException(
          path + "/" + TOKENIZER_CONFIG + " is not JSON: " + e.getMessage(), e);
    }
  }

  /**
   * @throws IllegalStateException when the weights are packed
   */
  Checkpoint checkpoint() {
    return weights
        .whole()
        .orElseThrow(() -> new IllegalStateException("model: packed, wanted its float32 weights"));
  }

  /** What the engine takes as parameters; none where the weights are packed. */
  FloatPointer parameters() {
    return weights.whole().map(Checkpoint::parameters).orElseGet(FloatPointer::new);
  }

  SpecialTokens specialTokens() {
    return head.specialTokens();
  }

  /** Its shape, with the positions as they are to be read. */
  LlamaConfig config() {
    return engine.config();
  }

  Tokenizer tokenizer() {
    return tokenizer;
  }

  LlamaEngine engine() {
    return engine;
  }

  /** Gives every matrix the values that it has as stored weights; see {@link StoredWeights}. */
  void round(WeightType type) {
    StoredWeights.round(new ParameterLayout(config()), parameters(), type);
  }

  /** SHA-256 of shape and parameters as they lie in memory: of equal models it is equal. */
  String sha256() {
    MessageDigest digest = sha256Digest();
    digest.update(config().toString().getBytes(StandardCharsets.UTF_8));
    if (weights.packed().isPresent()) {
      weights.packed().get().digest(digest);
      return HexFormat.of().formatHex(digest.digest());
    }
    long bytes = new ParameterLayout(config()).length() * Float.BYTES;
    BytePointer all = new BytePointer(parameters());
    byte[] chunk = new byte[HASHED_BYTES];
    for (long at = 0; at < bytes; at += chunk.length) {
      int length = (int) Math.min(chunk.length, bytes - at);
      all.position(at).get(chunk, 0, length);
      digest.update(ByteBuffer.wrap(chunk, 0, length));
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static MessageDigest sha256Digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  @Override
  public void close() {
    kept.close();
    engine.close();
    weights.close();
  }
}
