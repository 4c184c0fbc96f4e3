package caravan.model;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.HuggingFaceWeights;
import caravan.model.checkpoint.Llama2c;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.Nd4jEngine;
import caravan.model.engine.TokenBatch;
import caravan.model.generate.Generator;
import caravan.model.generate.Sampler;
import caravan.model.train.AdamW;
import caravan.model.train.Schedule;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.assertj.core.data.Offset;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.MultiDataSet;
import org.nd4j.linalg.factory.Nd4j;

/** Both engines compute what Hugging Face's transformers computed with the same files. */
class GoldenTest {
  private static final Offset<Float> CLOSE = Offset.offset(2e-5f);

  static Stream<Arguments> enginesAndCases() {
    Function<LlamaConfig, LlamaEngine> one = config -> new CpuEngine(config, 1);
    Function<LlamaConfig, LlamaEngine> two = config -> new CpuEngine(config, 2);
    Function<LlamaConfig, LlamaEngine> nd4j = Nd4jEngine::new;
    return Golden.CASES.stream()
        .flatMap(
            name ->
                Stream.of(
                    Arguments.of(name, "CpuEngine, 1 thread", one),
                    Arguments.of(name, "CpuEngine, 2 threads", two),
                    Arguments.of(name, "Nd4jEngine", nd4j)));
  }

  static List<String> cases() {
    return Golden.CASES;
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("enginesAndCases")
  void lossAndEveryGradientEqualTransformers(
      String name, String engineName, Function<LlamaConfig, LlamaEngine> engines)
      throws IOException {
    try (Golden golden = Golden.open(name);
        LlamaEngine engine = engines.apply(golden.config());
        FloatPointer gradient = new FloatPointer(new ParameterLayout(golden.config()).length())) {
      double loss = engine.lossAndGradient(golden.parameters(), gradient, golden.batch());
      assertThat(loss).isCloseTo(golden.loss(), Offset.offset(1e-5));
      for (HuggingFaceWeights.Slice slice :
          HuggingFaceWeights.slices(new ParameterLayout(golden.config()))) {
        float[] got = new float[(int) slice.length()];
        FloatPointer from = gradient.getPointer(slice.offset());
        from.get(got);
        float[] wanted = golden.gradient(slice.name());
        assertThat(got).as(slice.name()).containsExactly(wanted, CLOSE);
        assertThat(distance(got, wanted) / norm(wanted)).as(slice.name()).isLessThan(1e-4);
      }
    }
  }

  private static double norm(float[] values) {
    return distance(values, new float[values.length]);
  }

  private static double distance(float[] a, float[] b) {
    double squares = 0;
    for (int i = 0; i < a.length; i++) {
      squares += ((double) a[i] - b[i]) * (a[i] - b[i]);
    }
    return Math.sqrt(squares);
  }

  /** Clipping, moments, bias correction and decay, through Deeplearning4j's own training step. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void twoStepsOfAdamWMoveEveryParameterAsPyTorchDoes(String name) throws IOException {
    Schedule constant = new Schedule(Schedule.Kind.CONSTANT, 0.01, 0, 0, 10, 0);
    AdamW adam = new AdamW(constant, 0.9, 0.95, 1e-8, 1);
    try (Golden golden = Golden.open(name)) {
      ComputationGraph graph = LlamaGraph.create(golden.config(), adam, 0.1, 1, "cpu", 1);
      float[] before = floats(golden.model());
      graph.params().assign(Nd4j.createFromArray(before).reshape(1, before.length));
      TokenBatch batch = golden.batch();
      MultiDataSet data =
          new MultiDataSet(
              array(batch.ids(), batch.batch(), batch.seq()),
              array(batch.targets(), batch.batch(), batch.seq()));
      graph.fit(data);
      graph.fit(data);
      float[] after = graph.params().dup().data().asFloat();
      for (HuggingFaceWeights.Slice slice :
          HuggingFaceWeights.slices(new ParameterLayout(golden.config()))) {
        int from = (int) slice.offset();
        int to = from + (int) slice.length();
        float[] wanted = golden.stepped(slice.name());
        double moved = distance(wanted, Arrays.copyOfRange(before, from, to));
        assertThat(distance(Arrays.copyOfRange(after, from, to), wanted) / moved)
            .as(slice.name())
            .isLessThan(1e-3);
      }
      LlamaGraph.output(graph).close();
      graph.close();
    }
  }

  private static INDArray array(int[] ids, int rows, int columns) {
    float[] floats = new float[ids.length];
    for (int i = 0; i < ids.length; i++) {
      floats[i] = ids[i];
    }
    return Nd4j.createFromArray(floats).reshape(rows, columns);
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("enginesAndCases")
  void scoresAndDecodedLogitsEqualTransformers(
      String name, String engineName, Function<LlamaConfig, LlamaEngine> engines)
      throws IOException {
    try (Golden golden = Golden.open(name);
        LlamaEngine engine = engines.apply(golden.config())) {
      TokenBatch batch = golden.batch();
      LlamaEngine.TokenScores scores = engine.score(golden.parameters(), batch);
      for (int p = 0; p < batch.ids().length; p++) {
        int target = batch.targets()[p];
        if (target != TokenBatch.IGNORED) {
          assertThat(scores.logProbability()[p])
              .isCloseTo((float) golden.logProbability(p, target), CLOSE);
          assertThat(scores.greedy()[p]).isEqualTo(golden.greedy(p) == target);
        }
      }
      assertDecodedLogits(golden, engine, batch);
    }
  }

  /** First as a prompt of three, then token by token. */
  private static void assertDecodedLogits(Golden golden, LlamaEngine engine, TokenBatch batch) {
    int vocab = golden.config().vocabSize();
    float[] wanted = golden.logits();
    for (int r = 0; r < batch.batch(); r++) {
      int first = r * batch.seq();
      try (LlamaEngine.Decoder decoder = engine.decoder(golden.parameters(), batch.seq())) {
        decoder.append(Arrays.copyOfRange(batch.ids(), first, first + 3));
        for (int p = first + 3; p < first + batch.seq(); p++) {
          float[] logits = decoder.append(batch.ids()[p]);
          assertThat(logits)
              .as("position " + p)
              .containsExactly(Arrays.copyOfRange(wanted, p * vocab, (p + 1) * vocab), CLOSE);
        }
      }
    }
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("enginesAndCases")
  void theGreedyContinuationEqualsTransformersTokenForToken(
      String name, String engineName, Function<LlamaConfig, LlamaEngine> engines)
      throws IOException {
    try (Golden golden = Golden.open(name);
        LlamaEngine engine = engines.apply(golden.config())) {
      var heard = new ArrayList<Integer>();
      Generator.Continuation got =
          new Generator(engine, golden.parameters())
              .generate(
                  golden.prompt(),
                  golden.continuation().length,
                  Set.of(),
                  Sampler.greedy(),
                  id -> !heard.add(id));
      assertThat(got.ids()).isEqualTo(golden.continuation());
      assertThat(got.end()).isEqualTo(Generator.End.LENGTH);
      assertThat(heard).containsExactlyElementsOf(Arrays.stream(got.ids()).boxed().toList());
    }
  }

  /** {@code make_golden.py --check --exported model/target/golden} opens these in transformers. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void ourCheckpointOfTransformersModelHoldsTheSameNumbers(String name) throws IOException {
    String exported = Path.of(System.getProperty("caravan.root"), "model/target/golden").toString();
    try (Golden golden = Golden.open(name)) {
      Checkpoints.export(exported + "/" + name, new Configuration(), golden.model());
      CheckpointStore store = new CheckpointStore(exported + "/run-" + name, new Configuration());
      store.save(7, golden.model());
      try (Checkpoint plain = Checkpoints.open(exported + "/" + name, new Configuration());
          Checkpoint step = store.load(7)) {
        assertThat(plain.config()).isEqualTo(golden.config());
        assertThat(floats(plain)).isEqualTo(floats(golden.model()));
        assertThat(floats(step)).isEqualTo(floats(golden.model()));
      }
    }
  }

  /** The test writes the file by the format's definition, not with our exporter. */
  @ParameterizedTest(name = "version {0}")
  @ValueSource(ints = {0, 1})
  void aLlama2cFileInMetasRotaryOrderComputesTheSameLogits(int version, @TempDir Path folder)
      throws IOException {
    try (Golden golden = Golden.open("tied")) {
      Path file = folder.resolve("model.bin");
      Files.write(file, version == 0 ? metaFile(golden) : versionOneFile(golden));
      try (Checkpoint model = Llama2c.read(file.toString(), new Configuration());
          LlamaEngine engine = new CpuEngine(model.config(), 1)) {
        assertThat(model.config()).isEqualTo(golden.config());
        assertThat(floats(model)).isEqualTo(floats(golden.model()));
        Generator.Continuation got =
            new Generator(engine, model.parameters())
                .generate(
                    golden.prompt(), golden.continuation().length, Set.of(), Sampler.greedy());
        assertThat(got.ids()).isEqualTo(golden.continuation());
      }
    }
  }

  /** Seven numbers; embedding, norms, wq, wk, wv, wo, norms, gate, down, up, for all layers. */
  private static byte[] metaFile(Golden golden) {
    LlamaConfig c = golden.config();
    ByteBuffer out = ByteBuffer.allocate(1 << 17).order(ByteOrder.LITTLE_ENDIAN);
    putShape(out, c);
    Map<String, float[]> tensors = tensors(golden);
    put(out, tensors.get("model.embed_tokens.weight"));
    putKinds(out, c, tensors, "input_layernorm");
    putKinds(out, c, tensors, "q_proj", "k_proj", "v_proj", "o_proj");
    putKinds(out, c, tensors, "post_attention_layernorm", "gate_proj", "down_proj", "up_proj");
    put(out, tensors.get("model.norm.weight"));
    put(out, new float[c.contextLength() * c.headDim()]);
    return Arrays.copyOf(out.array(), out.position());
  }

  /** 256 bytes with magic and version; all gains, then embedding and matrices; no tables. */
  private static byte[] versionOneFile(Golden golden) {
    LlamaConfig c = golden.config();
    ByteBuffer out = ByteBuffer.allocate(1 << 17).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(0x616b3432).putInt(1);
    putShape(out, c);
    out.put((byte) 1).position(256);
    Map<String, float[]> tensors = tensors(golden);
    putKinds(out, c, tensors, "input_layernorm", "post_attention_layernorm");
    put(out, tensors.get("model.norm.weight"));
    put(out, tensors.get("model.embed_tokens.weight"));
    putKinds(out, c, tensors, "q_proj", "k_proj", "v_proj", "o_proj");
    putKinds(out, c, tensors, "gate_proj", "down_proj", "up_proj");
    return Arrays.copyOf(out.array(), out.position());
  }

  private static void putShape(ByteBuffer out, LlamaConfig c) {
    out.putInt(c.hiddenSize()).putInt(c.intermediateSize()).putInt(c.layerCount());
    out.putInt(c.headCount()).putInt(c.kvHeadCount()).putInt(c.vocabSize());
    out.putInt(c.contextLength());
  }

  /** By Hugging Face's names. */
  private static Map<String, float[]> tensors(Golden golden) {
    Map<String, float[]> tensors = new HashMap<>();
    float[] flat = floats(golden.model());
    for (HuggingFaceWeights.Slice s :
        HuggingFaceWeights.slices(new ParameterLayout(golden.config()))) {
      int from = (int) s.offset();
      tensors.put(s.name(), Arrays.copyOfRange(flat, from, from + (int) s.length()));
    }
    return tensors;
  }

  private static void putKinds(
      ByteBuffer out, LlamaConfig c, Map<String, float[]> tensors, String... kinds) {
    for (String kind : kinds) {
      String part =
          kind.endsWith("norm") ? "" : kind.matches("[qkvo]_proj") ? "self_attn." : "mlp.";
      for (int l = 0; l < c.layerCount(); l++) {
        float[] tensor = tensors.get("model.layers." + l + "." + part + kind + ".weight");
        boolean rotary = kind.equals("q_proj") || kind.equals("k_proj");
        put(out, rotary ? toMeta(tensor, c.headDim(), c.hiddenSize()) : tensor);
      }
    }
  }

  /** {@code view(heads, 2, headDim / 2, in).transpose(1, 2)}, element by element. */
  private static float[] toMeta(float[] weight, int headDim, int in) {
    float[] meta = new float[weight.length];
    for (int i = 0; i < weight.length; i++) {
      int head = i / (headDim * in);
      int half = i / (headDim / 2 * in) % 2;
      int pair = i / in % (headDim / 2);
      meta[((head * headDim / 2 + pair) * 2 + half) * in + i % in] = weight[i];
    }
    return meta;
  }

  private static void put(ByteBuffer out, float[] values) {
    for (float value : values) {
      out.putFloat(value);
    }
  }

  private static float[] floats(Checkpoint checkpoint) {
    float[] values = new float[(int) new ParameterLayout(checkpoint.config()).length()];
    checkpoint.parameters().get(values);
    return values;
  }
}
