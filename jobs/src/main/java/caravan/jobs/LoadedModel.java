package caravan.jobs;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.engine.Engines;
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
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.bytedeco.javacpp.BytePointer;

/** A checkpoint ready to be asked: its parameters, its tokenizer and an engine for its shape. */
final class LoadedModel implements AutoCloseable {
  private static final int HASHED_BYTES = 1 << 20;
  private static final String TOKENIZER_CONFIG = "tokenizer_config.json";

  private final Checkpoint checkpoint;
  private final Tokenizer tokenizer;
  private final LlamaEngine engine;
  private final LlamaEngine.Kept kept;
  private final boolean addsBos;

  private LoadedModel(
      Checkpoint checkpoint, Tokenizer tokenizer, boolean addsBos, LlamaEngine engine) {
    this.checkpoint = checkpoint;
    this.addsBos = addsBos;
    this.tokenizer = tokenizer;
    this.engine = engine;
    this.kept = engine.keep(checkpoint.parameters());
  }

  /**
   * @param path whatever {@link ModelFiles#open} takes
   * @param tokenizer a tokenizer.model, or a llama2.c tokenizer ({@code .bin}); the checkpoint's
   *     own where none is given
   * @param context how its positions are to be read
   * @throws IllegalArgumentException when there is no such model or tokenizer, or they do not fit
   *     each other
   */
  static LoadedModel open(
      String path,
      Optional<String> tokenizer,
      ModelContext context,
      String engine,
      int threads,
      Configuration hadoop) {
    return open(path, tokenizer, context, engine, threads, WeightType.F32, hadoop);
  }

  /**
   * @param weights what the engine makes of the parameters
   */
  static LoadedModel open(
      String path,
      Optional<String> tokenizer,
      ModelContext context,
      String engine,
      int threads,
      WeightType weights,
      Configuration hadoop) {
    Checkpoint checkpoint = ModelFiles.open(path, hadoop);
    try {
      Tokenizer text = tokenizer(path, checkpoint, tokenizer, hadoop);
      LlamaConfig shape = context.of(checkpoint.config());
      boolean addsBos = tokenizer.isPresent() || addsBos(path, checkpoint);
      return new LoadedModel(
          checkpoint, text, addsBos, Engines.open(engine, shape, threads, weights));
    } catch (RuntimeException e) {
      checkpoint.close();
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
      String path, Checkpoint checkpoint, Optional<String> given, Configuration hadoop) {
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

  static boolean addsBos(String path, Checkpoint checkpoint) {
    byte[] config = checkpoint.tokenizerFiles().get(TOKENIZER_CONFIG);
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

  Checkpoint checkpoint() {
    return checkpoint;
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
    StoredWeights.round(new ParameterLayout(config()), checkpoint.parameters(), type);
  }

  /** SHA-256 of shape and parameters: equal models have equal ones, wherever they lie. */
  String sha256() {
    MessageDigest digest = sha256Digest();
    digest.update(config().toString().getBytes(StandardCharsets.UTF_8));
    long bytes = new ParameterLayout(config()).length() * Float.BYTES;
    BytePointer all = new BytePointer(checkpoint.parameters());
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
    checkpoint.close();
  }
}
