package caravan.model.engine.cuda;

import caravan.model.LoraConfig;
import caravan.model.engine.Objective;
import caravan.model.engine.ResidentTraining.Optimizer;
import caravan.model.engine.ResidentTraining.Recipe;
import caravan.model.engine.ResidentTraining.Rule;
import java.util.List;
import java.util.Optional;

/**
 * One thing that {@link CudaChecks} asks of the engine.
 *
 * @param optimizer of a few steps; none for a gradient
 * @param freezes whether most tensors stay as they are
 * @param passSequences see {@link Recipe}
 */
record CudaCase(
    String name,
    Optional<LoraConfig> lora,
    boolean isPacked,
    boolean recompute,
    Objective objective,
    Optional<Optimizer> optimizer,
    double rate,
    boolean freezes,
    int passSequences) {

  private static final Objective PENALTIES = new Objective(0.01, 0.1, 0, 0, 11);
  private static final Objective DROPOUT = new Objective(0, 0, 0.1, 0.2, 11);
  private static final Optimizer ADAMW = Optimizer.adamW(0.9, 0.95, 1e-8, 1);

  /** Everything that is checked. */
  static List<CudaCase> all() {
    LoraConfig every = new LoraConfig(8, 16, 0, LoraConfig.PROJECTIONS, false, List.of());
    LoraConfig some =
        new LoraConfig(
            4, 8, 0.2, List.of("q_proj", "v_proj", "down_proj"), true, List.of("embed_tokens"));
    return List.of(
        gradient("plain", Objective.PLAIN),
        gradient("packed rows", Objective.PLAIN).inPackedRows(false),
        gradient("packed rows, recomputed, with dropout", DROPOUT).inPackedRows(true),
        gradient("z-loss and label smoothing", PENALTIES),
        gradient("dropout", DROPOUT),
        gradient("LoRA", Objective.PLAIN).beside(every),
        gradient("LoRA with dropout and a saved module", Objective.PLAIN).beside(some),
        round("AdamW", ADAMW, 1e-3),
        round("AdamW, LoRA in packed rows", ADAMW, 1e-3).beside(every).inPackedRows(false),
        round("AdamW, most tensors frozen", ADAMW, 1e-3).freezing(),
        round("AdamW, accumulation with penalties", ADAMW, 1e-3).inPasses(2, PENALTIES),
        round("AdamW, accumulation with dropout", ADAMW, 1e-3).inPasses(1, DROPOUT),
        round("Lion", Optimizer.lion(0.9, 0.99, 1), 1e-4),
        round("SGD with momentum", Optimizer.sgd(0.9, 1), 0.1),
        round("SGD", Optimizer.sgd(0, 0), 0.1));
  }

  private static CudaCase gradient(String name, Objective objective) {
    return new CudaCase(
        name, Optional.empty(), false, false, objective, Optional.empty(), 0, false, 0);
  }

  private static CudaCase round(String name, Optimizer optimizer, double rate) {
    return new CudaCase(
        name,
        Optional.empty(),
        false,
        false,
        Objective.PLAIN,
        Optional.of(optimizer),
        rate,
        false,
        0);
  }

  private CudaCase beside(LoraConfig adapters) {
    return new CudaCase(
        name,
        Optional.of(adapters),
        isPacked,
        recompute,
        objective,
        optimizer,
        rate,
        freezes,
        passSequences);
  }

  private CudaCase inPackedRows(boolean again) {
    return new CudaCase(
        name, lora, true, again, objective, optimizer, rate, freezes, passSequences);
  }

  private CudaCase freezing() {
    return new CudaCase(
        name, lora, isPacked, recompute, objective, optimizer, rate, true, passSequences);
  }

  private CudaCase inPasses(int sequences, Objective of) {
    return new CudaCase(name, lora, isPacked, recompute, of, optimizer, rate, freezes, sequences);
  }

  /**
   * Largest ‖ours − the CPU's‖ / ‖the CPU's‖ of a tensor. What steps changed is known to the
   * rounding of the weights, of gains near 1 above all. AdamW and Lion step by signs, more or less:
   * where a gradient is smaller than its rounding, they step the other way. Adapters' gradients are
   * small sums over large ones: their relative error is thrice that of the projections' in every
   * precision.
   */
  double tolerance(Precision precision) {
    boolean signs = optimizer.isPresent() && optimizer.get().rule() != Rule.SGD;
    return switch (precision) {
      case FP32 -> signs ? 2e-2 : optimizer.isPresent() ? 2e-4 : 5e-5;
      case TF32 -> signs ? 0.2 : 1.5e-2;
      case BF16 -> signs ? 0.3 : lora.isPresent() ? 0.12 : 5e-2;
    };
  }
}
