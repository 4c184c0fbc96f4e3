package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.List;

/**
 * Appends tokens to sequences: many to one in chunks as matrix products ({@link Prefill}), a few to
 * one, or one to each of several, as matrix-vector products ({@link TokenStep}).
 */
final class CpuDecoding implements AutoCloseable {
  /** From here on products of matrices are faster. */
  private static final int SIDE_BY_SIDE = 8;

  private final ParameterLayout layout;
  private final Team team;
  private final Worker[] workers;
  private TokenStep step;
  private Prefill prefill;

  CpuDecoding(ParameterLayout layout, Team team) {
    this.layout = layout;
    this.team = team;
    LlamaConfig config = layout.config();
    workers = new Worker[team.size()];
    for (int i = 0; i < workers.length; i++) {
      workers[i] = new Worker(i, team, config);
    }
  }

  LlamaConfig config() {
    return layout.config();
  }

  void append(CpuDecoder sequence, int[] ids) {
    if (ids.length == 1) {
      appendToEach(List.of(sequence), ids);
      return;
    }
    if (ids.length <= SIDE_BY_SIDE) {
      step(ids.length).appendAll(sequence, ids);
      return;
    }
    for (Worker worker : workers) {
      worker.ensureKeys(sequence.maxLength());
    }
    BlasThreads.confirm();
    if (prefill == null) {
      prefill = new Prefill(layout, team, workers);
    }
    prefill.append(sequence, ids);
    step(1).logits(sequence, prefill.stream(), prefill.lastRow(ids.length));
  }

  void appendToEach(List<CpuDecoder> sequences, int[] ids) {
    step(sequences.size()).append(sequences, ids);
  }

  private TokenStep step(int sequences) {
    if (step == null || step.capacity() < sequences) {
      if (step != null) {
        step.close();
      }
      step = new TokenStep(layout, team, workers, Math.max(sequences, SIDE_BY_SIDE));
    }
    return step;
  }

  @Override
  public void close() {
    if (step != null) {
      step.close();
    }
    if (prefill != null) {
      prefill.close();
    }
    for (Worker worker : workers) {
      worker.close();
    }
  }
}
