import caravan.model.Adaptation;
import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.LlamaLayer;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.CpuOptions;
import caravan.model.engine.Engines;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.WeightType;
import caravan.model.train.AdamW;
import caravan.model.train.GraphSteps;
import caravan.model.train.Schedule;
import com.sun.management.ThreadMXBean;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.MultiDataSet;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Training steps on demand: ours in the benchmark train-step. Arguments are KEY=VALUE pairs of the
 * shape, engine and threads. Each line of standard input asks for something, each line of output
 * answers: {@code block N} takes N steps on random tokens and prints their seconds; {@code heap}
 * prints the bytes of heap that all steps so far have asked for, {@code told} what a training says
 * before that it takes outside the heap; {@code learn
 * FILE STEPS} trains fresh weights on a file of int32 sequences and prints the loss of each step.
 */
class TrainSteps {
  private static final int DIFFERENT_BATCHES = 16;
  private static final int PEAK_SIZE = 2048;

  private final Map<String, String> options = new HashMap<>();
  private final int batch;
  private final int seq;
  private final int vocab;

  /** Owns the base's memory. */
  private ComputationGraph random;

  private TrainSteps(String[] args) {
    for (String pair : args) {
      options.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
    }
    batch = number("batch");
    seq = number("seq");
    vocab = number("vocab");
  }

  public static void main(String[] args) throws Exception {
    new TrainSteps(args).serve();
  }

  private int number(String key) {
    return Integer.parseInt(options.get(key));
  }

  private ComputationGraph graph(Schedule schedule) {
    LlamaConfig config =
        new LlamaConfig(
            number("hidden"),
            number("inter"),
            number("layers"),
            number("heads"),
            number("kv"),
            number("dim"),
            vocab,
            seq,
            10_000,
            1e-5,
            true);
    AdamW adam = new AdamW(schedule, 0.9, 0.95, 1e-8, 1);
    if (options.containsKey("lora")) {
      return adapters(config, adam);
    }
    return LlamaGraph.create(config, adam, 0.1, 1, options.get("engine"), number("threads"));
  }

  /** Adapters of all projections beside a random base; {@code base} says how that lies. */
  private ComputationGraph adapters(LlamaConfig config, AdamW adam) {
    Adaptation beside = adaptation().orElseThrow();
    LlamaLayer layer =
        new LlamaLayer(config, options.get("engine"), number("threads"), 0.1).beside(beside);
    random = LlamaGraph.create(config, adam, 0.1, 1, "cpu", 1);
    FloatPointer weights = LlamaGraph.output(random).parameters();
    FrozenBase base = new FrozenBase(config, weights);
    if (beside.baseWeights() != WeightType.F32) {
      base = FrozenBase.packed(config, beside.baseWeights());
      for (ParameterLayout.Tensor tensor : new ParameterLayout(config).tensors()) {
        base.put(tensor.offset(), weights.getPointer(tensor.offset()), tensor.length());
      }
    }
    ComputationGraph graph = LlamaGraph.create(layer, adam, 1);
    LlamaGraph.output(graph).useBase(base);
    return graph;
  }

  private Optional<Adaptation> adaptation() {
    if (!options.containsKey("lora")) {
      return Optional.empty();
    }
    int rank = number("lora");
    LoraConfig lora =
        new LoraConfig(rank, 2 * rank, 0, LoraConfig.PROJECTIONS, false, List.of());
    return Optional.of(new Adaptation(lora, "random", WeightType.valueOf(options.get("base"))));
  }

  private void serve() throws Exception {
    ComputationGraph graph = graph(new Schedule(Schedule.Kind.CONSTANT, 3e-4, 0, 0, 1, 0));
    MultiDataSet[] batches = new MultiDataSet[DIFFERENT_BATCHES];
    Random random = new Random(2);
    for (int i = 0; i < batches.length; i++) {
      batches[i] = dataSet(random.ints((long) batch * (seq + 1), 0, vocab).toArray());
    }
    System.out.println("ready");
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    int at = 0;
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split(" ");
      if (words[0].equals("learn")) {
        System.out.println(learn(Path.of(words[1]), Integer.parseInt(words[2])));
        continue;
      }
      if (words[0].equals("heap")) {
        System.out.println(heapBytes());
        continue;
      }
      if (words[0].equals("told")) {
        System.out.println(toldBytes(graph));
        continue;
      }
      if (words[0].equals("peak")) {
        System.out.println(words[1].equals("32") ? peak() : 0);
        continue;
      }
      long start = System.nanoTime();
      GraphSteps steps = new GraphSteps(graph);
      for (int i = Integer.parseInt(words[1]); i > 0; i--) {
        steps.take(batches[at++ % batches.length]);
      }
      steps.finish();
      System.out.println((System.nanoTime() - start) / 1e9);
    }
    LlamaGraph.output(graph).close();
  }

  /** What a training says before it begins that it takes outside the heap, in bytes. */
  private long toldBytes(ComputationGraph graph) {
    long vectors = 2 * graph.numParams() + graph.getUpdater().getStateViewArray().length();
    CpuOptions how = Engines.cpuOptions(options.get("engine"));
    LlamaConfig model = LlamaGraph.output(graph).layerConf().llama();
    Optional<CpuEngine.Frozen> frozen =
        adaptation()
            .map(a -> new CpuEngine.Frozen(new AdapterLayout(model, a.lora()), a.baseWeights()));
    return vectors * Float.BYTES
        + CpuEngine.trainingMemory(
                model, frozen, batch, seq, number("threads"), how, false)
            .values()
            .stream()
            .mapToLong(Long::longValue)
            .sum();
  }

  /** Bytes of heap that this JVM's threads have asked for so far. */
  private static long heapBytes() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    return Arrays.stream(threads.getThreadAllocatedBytes(threads.getAllThreadIds()))
        .filter(bytes -> bytes > 0)
        .sum();
  }

  /** GFLOP/s of oneDNN's best product of two matrices in fp32, a thread for each share of rows. */
  private double peak() {
    FloatPointer a = new FloatPointer((long) PEAK_SIZE * PEAK_SIZE);
    FloatPointer b = new FloatPointer((long) PEAK_SIZE * PEAK_SIZE);
    FloatPointer c = new FloatPointer((long) PEAK_SIZE * PEAK_SIZE);
    int threads = number("threads");
    long rows = PEAK_SIZE / threads;
    double best = 0;
    for (int repeat = 0; repeat < 8; repeat++) {
      long start = System.nanoTime();
      IntStream.range(0, threads)
          .parallel()
          .forEach(
              i -> {
                FloatPointer from = a.getPointer(i * rows * PEAK_SIZE);
                FloatPointer to = c.getPointer(i * rows * PEAK_SIZE);
                dnnl.dnnl_sgemm(
                    (byte) 'N', (byte) 'N', rows, PEAK_SIZE, PEAK_SIZE, 1f, from, PEAK_SIZE, b,
                    PEAK_SIZE, 0f, to, PEAK_SIZE);
              });
      double nanos = System.nanoTime() - start;
      best = Math.max(best, 2.0 * rows * threads * PEAK_SIZE * PEAK_SIZE / nanos);
    }
    return best;
  }

  private String learn(Path file, int steps) throws Exception {
    Schedule schedule = new Schedule(Schedule.Kind.COSINE, 1e-3, 1e-4, steps / 10, steps, 0);
    GraphSteps training = new GraphSteps(graph(schedule));
    IntBuffer data =
        ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
    int[] sequences = new int[batch * (seq + 1)];
    for (int step = 0; step < steps; step++) {
      data.get(sequences);
      training.take(dataSet(sequences));
    }
    return training.finish().stream()
        .map(step -> String.valueOf(step.loss()))
        .collect(Collectors.joining(" "));
  }

  /** Sequences of seq + 1 tokens: the first seq are read, the last seq predicted. */
  private MultiDataSet dataSet(int[] sequences) {
    return new MultiDataSet(columns(sequences, 0), columns(sequences, 1));
  }

  private INDArray columns(int[] sequences, int first) {
    float[] tokens = new float[batch * seq];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = sequences[i / seq * (seq + 1) + first + i % seq];
    }
    return Nd4j.createFromArray(tokens).reshape(batch, seq);
  }
}
