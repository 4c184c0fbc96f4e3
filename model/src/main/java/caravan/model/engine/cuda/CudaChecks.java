package caravan.model.engine.cuda;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.ParameterRanges;
import caravan.model.TensorLayout;
import caravan.model.WeightDecayRates;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.ResidentTraining.Recipe;
import caravan.model.engine.TokenBatch;
import caravan.model.engine.TrainingPass;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;

/**
 * The CUDA engine against the CPU engine in fp32, by what is asked of it: gradients of one batch,
 * and what a few resident steps make of the parameters.
 */
final class CudaChecks implements AutoCloseable {
  private static final int STEPS = 3;

  private final LlamaConfig config;
  private final int threads;
  private final TokenBatch plain;
  private final TokenBatch packed;
  private final FloatPointer base;

  CudaChecks(LlamaConfig config, int batch, int seq, int threads) {
    this.config = config;
    this.threads = threads;
    this.plain = withGaps(RandomModel.batch(config, batch, seq, new Random(2)));
    this.packed = packed(plain);
    // Weights so large that attention and gates leave their linear range.
    this.base = RandomModel.parameters(config, 1, 0.06);
  }

  /** Each seventh position has no target. */
  private static TokenBatch withGaps(TokenBatch all) {
    int[] targets = all.targets().clone();
    for (int i = 3; i < targets.length; i += 7) {
      targets[i] = TokenBatch.IGNORED;
    }
    return new TokenBatch(all.ids(), targets, all.batch(), all.seq());
  }

  /** Four documents a row, which begin at other places in each. */
  private static TokenBatch packed(TokenBatch plain) {
    int[] targets = plain.targets().clone();
    int seq = plain.seq();
    for (int row = 0; row < plain.batch(); row++) {
      for (int start : new int[] {1 + row, seq / 3 + row, seq - 2 - row}) {
        targets[row * seq + start] = TokenBatch.marked(targets[row * seq + start]);
      }
    }
    return TokenBatch.ofMarked(plain.ids(), targets, plain.batch(), seq);
  }

  /**
   * What came out.
   *
   * @param difference largest of a tensor: of gradients, or of what the steps changed
   * @param tensor that has it
   * @param loss largest relative difference of a step's loss
   * @param worst of the tolerance: at most 1 when all is well
   */
  record Result(double difference, String tensor, double loss, double worst) {}

  /**
   * Prints a line for each case whose name has the words.
   *
   * @throws IllegalStateException when one is further away than its tolerance
   */
  void report(List<Precision> precisions, String words) {
    List<String> failed = new ArrayList<>();
    for (Precision precision : precisions) {
      String type = precision.name().toLowerCase(Locale.ROOT);
      for (CudaCase it : CudaCase.all()) {
        if (it.name().contains(words)) {
          Result result = check(it, precision);
          CudaBench.print(
              "\"part\": \"checks\", \"case\": \"%s\", \"precision\": \"%s\","
                  + " \"difference\": %.3e, \"tensor\": \"%s\", \"loss\": %.3e, \"tolerance\": %.1e",
              it.name(),
              type,
              result.difference(),
              result.tensor(),
              result.loss(),
              it.tolerance(precision));
          if (!(result.worst() <= 1)) {
            failed.add(it.name() + " in " + type);
          }
        }
      }
    }
    if (!failed.isEmpty()) {
      throw new IllegalStateException(
          "results are further from the CPU engine's than their tolerance: " + failed);
    }
  }

  Result check(CudaCase it, Precision precision) {
    LayoutOf of = layout(it);
    CudaEngine.Options options = new CudaEngine.Options(0, precision, it.recompute());
    try (FloatPointer wanted = trained(of);
        FloatPointer got = trained(of);
        FloatPointer start = trained(of);
        CpuEngine oracle =
            of.adapters().map(a -> new CpuEngine(a, frozen(), threads)).orElseGet(this::oracle)) {
      List<Double> losses = run(it, oracle, of.layout(), wanted);
      List<Double> ours;
      try (CudaEngine engine =
          of.adapters()
              .map(a -> new CudaEngine(a, frozen(), options))
              .orElseGet(() -> new CudaEngine(config, options))) {
        ours = run(it, engine, of.layout(), got);
      }
      if (it.optimizer().isPresent()) {
        subtract(wanted, start, of.layout().length());
        subtract(got, start, of.layout().length());
      }
      return result(it.tolerance(precision), of.layout(), got, wanted, ours, losses);
    }
  }

  private record LayoutOf(TensorLayout layout, Optional<AdapterLayout> adapters) {}

  private LayoutOf layout(CudaCase it) {
    Optional<AdapterLayout> adapters = it.lora().map(lora -> new AdapterLayout(config, lora));
    return new LayoutOf(
        adapters.<TensorLayout>map(a -> a).orElseGet(() -> new ParameterLayout(config)), adapters);
  }

  private CpuEngine oracle() {
    return new CpuEngine(config, threads);
  }

  private FrozenBase frozen() {
    return new FrozenBase(config, base);
  }

  private FloatPointer trained(LayoutOf of) {
    return of.adapters()
        .map(a -> RandomModel.adapters(a, base, 2))
        .orElseGet(() -> RandomModel.parameters(config, 1, 0.06));
  }

  /** Losses; {@code at} becomes the gradient, or the parameters after the steps. */
  private List<Double> run(CudaCase it, LlamaEngine engine, TensorLayout layout, FloatPointer at) {
    TokenBatch batch = it.isPacked() ? packed : plain;
    if (it.optimizer().isEmpty()) {
      try (FloatPointer gradient = RandomModel.zeros(layout.length())) {
        TrainingPass pass = TrainingPass.whole(it.objective(), 4, batch);
        double loss = engine.lossAndGradient(at, gradient, batch, pass).objective();
        for (long i = 0; i < layout.length(); i++) {
          at.put(i, gradient.get(i));
        }
        return List.of(loss);
      }
    }
    Recipe recipe =
        new Recipe(
            it.optimizer().get(),
            WeightDecayRates.ofMatrices(0.1),
            it.freezes() ? some(layout) : ParameterRanges.ALL,
            it.objective(),
            it.passSequences());
    return new PlainSteps(engine, layout, at, recipe).take(batch, it.rate(), STEPS);
  }

  /** Three tensors in the middle and the last. */
  private static ParameterRanges some(TensorLayout layout) {
    List<Tensor> tensors = layout.tensors();
    Tensor last = tensors.get(tensors.size() - 1);
    return new ParameterRanges(
        List.of(tensors.get(2).offset(), tensors.get(5).offset(), last.offset(), layout.length()));
  }

  private static void subtract(FloatPointer from, FloatPointer what, long length) {
    for (long i = 0; i < length; i++) {
      from.put(i, from.get(i) - what.get(i));
    }
  }

  private static Result result(
      double tolerance,
      TensorLayout layout,
      FloatPointer got,
      FloatPointer wanted,
      List<Double> ours,
      List<Double> losses) {
    double worst = 0;
    String where = "";
    for (Tensor tensor : layout.tensors()) {
      double difference = difference(got, wanted, tensor);
      if (!(difference <= worst)) {
        worst = difference;
        where = tensor.name();
      }
    }
    double loss = 0;
    for (int i = 0; i < losses.size(); i++) {
      loss = Math.max(loss, Math.abs(ours.get(i) - losses.get(i)) / losses.get(i));
    }
    return new Result(worst, where, loss, Math.max(worst, loss) / tolerance);
  }

  private static double difference(FloatPointer a, FloatPointer b, Tensor tensor) {
    double squares = 0;
    double norm = 1e-30;
    for (long i = tensor.offset(); i < tensor.offset() + tensor.length(); i++) {
      double d = (double) a.get(i) - b.get(i);
      squares += d * d;
      norm += (double) b.get(i) * b.get(i);
    }
    return Math.sqrt(squares / norm);
  }

  @Override
  public void close() {
    base.close();
  }
}
