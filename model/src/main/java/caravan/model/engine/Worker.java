package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.engine.Phases.Phase;

/** One thread's place in the team and what it alone writes. */
final class Worker implements AutoCloseable {
  private final int member;
  private final Team team;
  private final LlamaConfig config;
  private Attention attention;

  final Gemm gemm = new Gemm();
  final Phases phases = new Phases();
  final BlockAttention.Heads heads = new BlockAttention.Heads();

  /** Gradients of all norms' gains over this worker's rows: [2 · layers + 1, hidden]. */
  final Buffer gainGradients;

  /** Sum over this worker's targets, in nats. */
  double loss;

  /** What the objective has beyond that. */
  double penalty;

  /** The weights of which this worker has rounded its share of what is frozen. */
  Weights settled;

  Worker(int member, Team team, LlamaConfig config) {
    this.member = member;
    this.team = team;
    this.config = config;
    this.gainGradients = Buffer.allocate(gainFloats(config));
  }

  /** Bytes of what a worker alone writes, for sequences of so many tokens. */
  static long bytes(LlamaConfig config, int keys) {
    return Buffer.bytesOf(gainFloats(config)) + Attention.bytes(keys);
  }

  private static long gainFloats(LlamaConfig config) {
    return (2L * config.layerCount() + 1) * config.hiddenSize();
  }

  /** Bytes of what this alone writes. */
  long bytes() {
    return gainGradients.bytes() + gemm.bytes() + (attention == null ? 0 : attention.bytes());
  }

  /** First of this worker's share of {@code count} rows. */
  int from(int count) {
    return (int) ((long) count * member / team.size());
  }

  /** One past the last of this worker's share. */
  int to(int count) {
    return (int) ((long) count * (member + 1) / team.size());
  }

  /** Whether this worker takes the task with this number. */
  boolean takes(int task) {
    return Math.floorMod(task, team.size()) == member;
  }

  void barrier() {
    team.barrier();
    phases.end(Phase.WAIT);
  }

  /** Attention tiles for at least {@code keys} keys. */
  void ensureKeys(int keys) {
    if (attention == null || attention.maxKeys() < keys) {
      if (attention != null) {
        attention.close();
      }
      attention = new Attention(gemm, config.headDim(), keys);
    }
  }

  Attention attention() {
    return attention;
  }

  @Override
  public void close() {
    phases.print(member);
    gainGradients.close();
    gemm.close();
    if (attention != null) {
      attention.close();
    }
  }
}
