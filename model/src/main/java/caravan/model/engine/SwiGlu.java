package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.FloatVector;

/**
 * The gated activation of the feed-forward layer (Shazeer 2020, arXiv 2002.05202).
 *
 * <pre>
 * s = 1 / (1 + e^−gate)            out = gate · s · up
 * dUp = dOut · gate · s            dGate = dOut · up · (s + gate · s · (1 − s))
 * </pre>
 *
 * <p>{@code gateUp} is [rows, 2 · inter], gates first; {@code out} is [rows, inter].
 */
final class SwiGlu {
  private SwiGlu() {}

  static void forward(Buffer gateUp, Buffer out, int inter, int from, int to) {
    for (int row = from; row < to; row++) {
      int gateAt = 2 * row * inter;
      forward(gateUp, gateAt, gateAt + inter, out, row * inter, inter);
    }
  }

  /** A part of a row: {@code count} gates and as many ups. */
  static void forward(Buffer gateUp, int gateAt, int upAt, Buffer out, int at, int count) {
    int j = 0;
    for (int bound = LANES.loopBound(count); j < bound; j += WIDTH) {
      FloatVector gate = gateUp.load(gateAt + j);
      FloatVector onePlus = Lanes.exp(gate.neg()).add(1f);
      out.store(at + j, gate.div(onePlus).mul(gateUp.load(upAt + j)));
    }
    for (; j < count; j++) {
      float gate = gateUp.get(gateAt + j);
      out.set(at + j, gate / (1 + (float) Math.exp(-gate)) * gateUp.get(upAt + j));
    }
  }

  /**
   * @param dOutThenOut [rows, inter] comes with dOut and leaves with out, computed again: keeping
   *     it per layer would cost more memory than the exponentials cost time
   */
  static void backward(
      Buffer gateUp, Buffer dOutThenOut, Buffer dGateUp, int inter, int from, int to) {
    int bound = LANES.loopBound(inter);
    FloatVector one = FloatVector.broadcast(LANES, 1f);
    for (int row = from; row < to; row++) {
      int gateAt = 2 * row * inter;
      int upAt = gateAt + inter;
      int at = row * inter;
      int j = 0;
      for (; j < bound; j += WIDTH) {
        FloatVector gate = gateUp.load(gateAt + j);
        FloatVector up = gateUp.load(upAt + j);
        FloatVector dOut = dOutThenOut.load(at + j);
        FloatVector s = one.div(Lanes.exp(gate.neg()).add(1f));
        FloatVector silu = gate.mul(s);
        dOutThenOut.store(at + j, silu.mul(up));
        dGateUp.store(upAt + j, dOut.mul(silu));
        dGateUp.store(gateAt + j, dOut.mul(up).mul(s.add(silu).sub(silu.mul(s))));
      }
      for (; j < inter; j++) {
        float gate = gateUp.get(gateAt + j);
        float up = gateUp.get(upAt + j);
        float dOut = dOutThenOut.get(at + j);
        float s = 1 / (1 + (float) Math.exp(-gate));
        float silu = gate * s;
        dOutThenOut.set(at + j, silu * up);
        dGateUp.set(upAt + j, dOut * silu);
        dGateUp.set(gateAt + j, dOut * up * (s + silu - silu * s));
      }
    }
  }
}
