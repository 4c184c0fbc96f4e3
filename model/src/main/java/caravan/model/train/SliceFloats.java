package caravan.model.train;

import caravan.model.checkpoint.FloatSource;
import java.io.IOException;
import java.io.OutputStream;
import java.util.function.IntFunction;

/** Parameters, updater state or velocity of the state's slices as one vector, in a task. */
final class SliceFloats implements FloatSource {
  private final Slicing slicing;
  private final int firstSlice;
  private final IntFunction<byte[]> slices;
  private int held = -1;
  private byte[] bytes;

  /**
   * @param firstSlice that holds float 0
   * @param slices reads a slice by its index
   */
  SliceFloats(Slicing slicing, int firstSlice, IntFunction<byte[]> slices) {
    this.slicing = slicing;
    this.firstSlice = firstSlice;
    this.slices = slices;
  }

  @Override
  public void write(OutputStream out, long offset, long count) throws IOException {
    for (long done = 0; done < count; ) {
      long at = offset + done;
      int index = firstSlice + Math.toIntExact(at / slicing.sliceLength());
      if (index != held) {
        bytes = slices.apply(index);
        held = index;
      }
      int from = (int) (at % slicing.sliceLength()) * Float.BYTES;
      int length = (int) Math.min((count - done) * Float.BYTES, bytes.length - from);
      out.write(bytes, from, length);
      done += length / Float.BYTES;
    }
  }
}
