package caravan.model.engine.cuda;

import caravan.model.engine.ResidentTraining.Optimizer;

/** Clipping by the gradient's norm and the optimizers: the kernels of optimizer.cu. */
final class Updates {
  private static final int THREADS = 256;

  /** Elements that a block of threads updates. */
  private static final int ELEMENTS = THREADS * 8;

  private final Launch launch;

  Updates(Launch launch) {
    this.launch = launch;
  }

  private static long blocks(long elements) {
    return (elements + ELEMENTS - 1) / ELEMENTS;
  }

  /**
   * @param clip receives the factor for the gradient and its norm, fp32 each
   * @param partials fp64 [{@code blocks}]
   */
  void clip(long clip, long partials, int blocks, long gradient, long n, float clipNorm) {
    launch.of("sum_squares").put(partials).put(gradient).put(n).run(blocks, 1, 1, THREADS, 0);
    launch.of("clip_factor").put(clip).put(partials).put(blocks).put(clipNorm);
    launch.run(1, 1, 1, THREADS, 0);
  }

  /**
   * What updates are made of.
   *
   * @param clip fp32 factor for the gradient and its norm
   * @param ends int64 [count] where runs of elements with one decay end
   * @param decays fp32 [count]
   */
  record Runs(long clip, long ends, long decays, int count) {}

  /**
   * One step of an optimizer.
   *
   * @param steps that shaped its state, this one included
   */
  void update(DeviceParameters p, Runs runs, Optimizer optimizer, double rate, int steps) {
    switch (optimizer.rule()) {
      case ADAMW -> adamw(p, runs, optimizer, rate, steps);
      case LION -> lion(p, runs, optimizer, rate);
      case SGD -> sgd(p, runs, optimizer, rate);
    }
  }

  private void adamw(DeviceParameters p, Runs runs, Optimizer o, double rate, int steps) {
    launch.of("adamw").put(p.masters()).put(p.state(0)).put(p.state(1));
    putRuns(p, runs);
    launch.put((float) (rate / (1 - Math.pow(o.beta1(), steps))));
    launch.put((float) (1 / Math.sqrt(1 - Math.pow(o.beta2(), steps))));
    launch.put((float) o.beta1()).put((float) (1 - o.beta1()));
    launch.put((float) o.beta2()).put((float) (1 - o.beta2()));
    launch.put((float) o.epsilon()).put((float) rate);
    launch.run(blocks(p.length()), 1, 1, THREADS, 0);
  }

  private void lion(DeviceParameters p, Runs runs, Optimizer o, double rate) {
    launch.of("lion").put(p.masters()).put(p.state(0));
    putRuns(p, runs);
    launch.put((float) rate).put((float) o.beta1()).put((float) (1 - o.beta1()));
    launch.put((float) o.beta2()).put((float) (1 - o.beta2())).put((float) rate);
    launch.run(blocks(p.length()), 1, 1, THREADS, 0);
  }

  private void sgd(DeviceParameters p, Runs runs, Optimizer o, double rate) {
    launch.of("sgd").put(p.masters()).put(o.stateVectors() > 0 ? p.state(0) : 0L);
    putRuns(p, runs);
    launch.put((float) rate).put((float) o.beta1()).put((float) rate);
    launch.run(blocks(p.length()), 1, 1, THREADS, 0);
  }

  private void putRuns(DeviceParameters p, Runs runs) {
    launch.put(p.gradients()).put(p.copiesOrNull()).put(runs.clip());
    launch.put(runs.ends()).put(runs.decays()).put(runs.count()).put(p.length());
  }
}
