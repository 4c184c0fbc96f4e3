package caravan.model.engine.cuda;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.ResidentTraining;
import caravan.model.engine.TokenBatch;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.FloatPointer;

/**
 * What jobs/bench/run train-cuda measures of our engine, as a program that needs the model's
 * classes and JavaCPP alone: no ND4J, no Spark. Its first argument is the part, the others are
 * key=value; results are printed as lines {@code BENCH {json}}.
 */
public final class CudaBench {
  private static final int WARMUP_STEPS = 5;

  private final Map<String, String> options;

  private CudaBench(Map<String, String> options) {
    this.options = options;
  }

  /**
   * @param args checks, train, speed, decode or compile, then key=value
   */
  public static void main(String[] args) throws IOException {
    if (args.length == 0) {
      throw new IllegalArgumentException("wanted checks, train, speed, decode or compile");
    }
    Map<String, String> options = new HashMap<>();
    for (int i = 1; i < args.length; i++) {
      int equals = args[i].indexOf('=');
      options.put(args[i].substring(0, equals), args[i].substring(equals + 1));
    }
    CudaBench bench = new CudaBench(options);
    switch (args[0]) {
      case "checks" -> bench.checks();
      case "train" -> bench.train();
      case "speed" -> bench.speed();
      case "decode" -> bench.decode();
      case "compile" ->
          KernelSizes.print(
              options.get("architectures").split(","), Optional.ofNullable(options.get("out")));
      default -> throw new IllegalArgumentException("no part named " + args[0]);
    }
  }

  private int number(String key) {
    return Integer.parseInt(options.get(key));
  }

  private LlamaConfig config() {
    return new LlamaConfig(
        number("hidden"),
        number("inter"),
        number("layers"),
        number("heads"),
        number("kv"),
        number("dim"),
        number("vocab"),
        number("context"),
        10_000,
        1e-5,
        true);
  }

  private CudaEngine engine() {
    return new CudaEngine(config(), engineOptions());
  }

  private CudaEngine beside(AdapterLayout adapters, FloatPointer base) {
    return new CudaEngine(adapters, new FrozenBase(adapters.config(), base), engineOptions());
  }

  private CudaEngine.Options engineOptions() {
    boolean recompute = "block".equals(options.get("recompute"));
    return new CudaEngine.Options(0, Precision.named(options.get("precision")), recompute);
  }

  /** Of every projection, where rank says so. */
  private Optional<AdapterLayout> adapters(LlamaConfig config) {
    return Optional.ofNullable(options.get("rank"))
        .map(Integer::parseInt)
        .map(rank -> new LoraConfig(rank, 2 * rank, 0, LoraConfig.PROJECTIONS, false, List.of()))
        .map(lora -> new AdapterLayout(config, lora));
  }

  private TokenBatch randomBatch(LlamaConfig config, Random random) {
    return RandomModel.batch(config, number("batch"), number("seq"), random);
  }

  static void print(String format, Object... values) {
    System.out.println("BENCH {" + String.format(Locale.ROOT, format, values) + "}");
  }

  private void checks() {
    List<Precision> precisions =
        Arrays.stream(options.get("precisions").split(",")).map(Precision::named).toList();
    try (CudaChecks checks =
        new CudaChecks(config(), number("batch"), number("seq"), number("threads"))) {
      checks.report(precisions, options.getOrDefault("case", ""));
    }
  }

  /**
   * Steps on the batches of a file (int32 [steps, batch, seq + 1]) from random weights, which are
   * written to another: what the peer trains on too.
   */
  private void train() throws IOException {
    LlamaConfig config = config();
    long length = new ParameterLayout(config).length();
    int steps = number("steps");
    int batch = number("batch");
    int seq = number("seq");
    try (FileChannel data = FileChannel.open(Path.of(options.get("data")));
        FloatPointer parameters = RandomModel.parameters(config, 3);
        FloatPointer moments = RandomModel.zeros(2 * length);
        CudaEngine engine = engine()) {
      write(parameters, length, Path.of(options.get("weights")));
      ResidentTraining training =
          engine.train(parameters, moments, adam(options.get("decay"))).orElseThrow();
      for (int step = 0; step < steps; step++) {
        training.step(read(data, step, batch, seq), rate(step, steps), step, step);
      }
      print(
          "\"part\": \"train\", \"losses\": [%s], \"norms\": [%s]",
          training.steps().stream()
              .map(s -> String.format(Locale.ROOT, "%.5f", s.loss()))
              .collect(Collectors.joining(", ")),
          training.steps().stream()
              .map(s -> String.format(Locale.ROOT, "%.5f", s.gradientNorm()))
              .collect(Collectors.joining(", ")));
    }
  }

  private static ResidentTraining.Recipe adam(String decay) {
    return ResidentTraining.Recipe.plain(
        ResidentTraining.Optimizer.adamW(0.9, 0.95, 1e-8, 1), Double.parseDouble(decay));
  }

  /** Linear warmup over 50 steps to 1e-3, then cosine to 1e-4. */
  private static double rate(int step, int steps) {
    if (step < 50) {
      return 1e-3 * (step + 1) / 50;
    }
    double progress = (step - 50.0) / (steps - 50);
    return 1e-4 + 0.5 * (1 + Math.cos(Math.PI * progress)) * 9e-4;
  }

  private static TokenBatch read(FileChannel data, int step, int batch, int seq)
      throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(4 * batch * (seq + 1)).order(ByteOrder.LITTLE_ENDIAN);
    data.read(bytes, (long) step * bytes.capacity());
    int[] ids = new int[batch * seq];
    int[] targets = new int[batch * seq];
    for (int i = 0; i < ids.length; i++) {
      int at = i / seq * (seq + 1) + i % seq;
      ids[i] = bytes.getInt(4 * at);
      targets[i] = bytes.getInt(4 * at + 4);
    }
    return new TokenBatch(ids, targets, batch, seq);
  }

  private static void write(FloatPointer parameters, long length, Path file) throws IOException {
    ByteBuffer bytes = parameters.capacity(length).asByteBuffer();
    try (FileChannel out =
        FileChannel.open(
            file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.READ)) {
      out.write(bytes);
    }
  }

  /** Tokens per second of training steps, memory by part, and time by kernel. */
  private void speed() {
    LlamaConfig config = config();
    Optional<AdapterLayout> lora = adapters(config);
    long length =
        lora.map(AdapterLayout::length).orElseGet(() -> new ParameterLayout(config).length());
    int steps = number("steps");
    Random random = new Random(4);
    List<TokenBatch> batches =
        List.of(
            randomBatch(config, random), randomBatch(config, random), randomBatch(config, random));
    try (FloatPointer base = RandomModel.parameters(config, 5);
        FloatPointer moments = RandomModel.zeros(2 * length);
        CudaEngine engine = lora.map(a -> beside(a, base)).orElseGet(this::engine)) {
      FloatPointer trained = lora.map(a -> RandomModel.adapters(a, base, 6)).orElse(base);
      ResidentTraining training = engine.train(trained, moments, adam("0.1")).orElseThrow();
      for (int step = 0; step < WARMUP_STEPS; step++) {
        training.step(batches.get(step % 3), 1e-4, step, step);
      }
      training.steps();
      long start = System.nanoTime();
      for (int step = 0; step < steps; step++) {
        int before = WARMUP_STEPS + step;
        training.step(batches.get(step % 3), 1e-4, before, before);
      }
      List<ResidentTraining.Step> done = training.steps();
      double seconds = (System.nanoTime() - start) / 1e9;
      double tokens = (double) steps * batches.get(0).ids().length;
      print(
          "\"part\": \"speed\", \"parameters\": %d, \"tokens_per_second\": %.1f,"
              + " \"milliseconds_per_step\": %.3f, \"loss\": %.5f, \"memory\": {%s}",
          length,
          tokens / seconds,
          1e3 * seconds / steps,
          done.get(done.size() - 1).loss(),
          engine.memoryByPart().entrySet().stream()
              .map(part -> "\"" + part.getKey() + "\": " + part.getValue())
              .collect(Collectors.joining(", ")));
      profile(engine, training, batches.get(0), WARMUP_STEPS + steps);
    }
  }

  private static void profile(
      CudaEngine engine, ResidentTraining training, TokenBatch batch, int step) {
    Profile profile = new Profile(engine.device());
    engine.device().profile(profile);
    training.step(batch, 1e-4, step, step);
    engine.device().profile(null);
    System.out.println("time by kernel of one step:");
    System.out.println(profile.table());
  }

  /** Tokens per second of greedy decoding after a prompt. */
  private void decode() {
    LlamaConfig config = config();
    int prompt = number("prompt");
    int tokens = number("tokens");
    int[] ids = new Random(6).ints(prompt, 0, config.vocabSize()).toArray();
    try (FloatPointer parameters = RandomModel.parameters(config, 5);
        CudaEngine engine = engine();
        LlamaEngine.Kept kept = engine.keep(parameters);
        LlamaEngine.Decoder warm = engine.decoder(parameters, prompt + 32);
        LlamaEngine.Decoder decoder = engine.decoder(parameters, prompt + 2 * tokens)) {
      warm.append(ids);
      for (int i = 0; i < WARMUP_STEPS; i++) {
        warm.best(warm.best(1));
      }
      long start = System.nanoTime();
      int next = decoder.best(ids);
      long prompted = System.nanoTime();
      for (int i = 0; i < tokens; i++) {
        next = decoder.best(next);
      }
      double seconds = (System.nanoTime() - prompted) / 1e9;
      long again = System.nanoTime();
      for (int i = 0; i < tokens; i++) {
        decoder.append(next);
      }
      print(
          "\"part\": \"decode\", \"prompt_milliseconds\": %.3f, \"tokens_per_second\": %.1f,"
              + " \"with_logits\": %.1f",
          (prompted - start) / 1e6, tokens / seconds, tokens / ((System.nanoTime() - again) / 1e9));
      Profile profile = new Profile(engine.device());
      engine.device().profile(profile);
      warm.append(1);
      engine.device().profile(null);
      System.out.println("time by kernel of one token:");
      System.out.println(profile.table());
    }
  }
}
