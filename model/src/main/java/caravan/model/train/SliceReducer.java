package caravan.model.train;

import caravan.model.ParameterRanges;
import caravan.model.train.Exchange.WorkerReport;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import org.apache.spark.api.java.function.Function2;
import scala.Tuple2;

/**
 * Makes one slice of the next state, in a task per slice: the mean of the workers' pieces, of which
 * the outer optimizer takes its step, where there is one; what is frozen stays as it was.
 *
 * @param start the state that the round began with
 * @param outer null where there is none
 * @param precision of the parameters that workers sent
 * @param next where the slice is stored, on this task's executor
 */
record SliceReducer(
    StateBlocks.Reader start,
    OuterOptimizer outer,
    ParameterRanges frozen,
    ExchangePrecision precision,
    StateBlocks.Blocks next)
    implements Function2<Integer, Iterator<Tuple2<Integer, Piece>>, Iterator<List<WorkerReport>>> {

  /**
   * @return what came with the slice's pieces, in worker order; nothing where no piece came
   */
  @Override
  public Iterator<List<WorkerReport>> call(
      Integer index, Iterator<Tuple2<Integer, Piece>> arriving) {
    List<Piece> pieces = new ArrayList<>();
    arriving.forEachRemaining(piece -> pieces.add(piece._2));
    if (pieces.isEmpty()) {
      return List.<List<WorkerReport>>of().iterator();
    }
    pieces.sort(Comparator.comparingInt(Piece::worker));
    Slicing.Slice slice = next.slicing().slice(index);
    boolean changes = precision.isOfChanges() && !slice.ofUpdater();
    List<byte[]> values =
        pieces.stream()
            .map(p -> changes ? Changes.decode(p.bytes(), precision) : p.bytes())
            .toList();
    SliceArithmetic.mean(values, MeanWeights.of(pieces.stream().map(Piece::targetTokens).toList()));
    byte[] mean = values.get(0);
    if (!slice.ofUpdater()) {
      step(slice, mean, changes);
    }
    next.storeSlice(index, ByteBuffer.wrap(mean));
    return List.of(pieces.stream().map(Piece::report).flatMap(Optional::stream).toList())
        .iterator();
  }

  /**
   * Makes the parameters' mean what the next round starts from.
   *
   * @param change whether it is the mean of what the round has changed
   */
  private void step(Slicing.Slice slice, byte[] mean, boolean change) {
    ParameterRanges kept = frozen.within(slice.offset(), slice.offset() + slice.length());
    if (outer == null && kept.count() == 0 && !change) {
      return;
    }
    byte[] from = start.slice(slice.index());
    if (change) {
      SliceArithmetic.add(mean, from);
    }
    if (outer != null) {
      byte[] velocity = start.velocity(slice.index());
      outer.step(from, mean, velocity);
      next.storeVelocity(slice.index(), ByteBuffer.wrap(velocity));
    }
    for (int range = 0; range < kept.count(); range++) {
      int at = (int) (kept.from(range) - slice.offset()) * Float.BYTES;
      int length = (int) (kept.to(range) - kept.from(range)) * Float.BYTES;
      System.arraycopy(from, at, mean, at, length);
    }
  }
}
