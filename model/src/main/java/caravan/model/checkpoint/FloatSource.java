package caravan.model.checkpoint;

import java.io.IOException;
import java.io.OutputStream;
import org.bytedeco.javacpp.FloatPointer;

/** A long vector of floats, read from wherever it lies. */
public interface FloatSource {
  /** Writes the floats [offset, offset + count), little-endian. */
  void write(OutputStream out, long offset, long count) throws IOException;

  /** Floats off the heap. */
  static FloatSource of(FloatPointer floats) {
    return (out, offset, count) -> Floats.write(out, floats, offset, count);
  }
}
