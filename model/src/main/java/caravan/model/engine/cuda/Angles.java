package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import org.bytedeco.javacpp.FloatPointer;

/** Cosines and sines of rotary positions on the GPU: fp32 [length, headDim], cosines first. */
final class Angles implements AutoCloseable {
  private final Device device;
  private final LlamaConfig config;
  private final int length;
  private final long table;

  /**
   * @param length tokens of the longest sequence that is turned
   */
  Angles(Device device, LlamaConfig config, int length) {
    this.device = device;
    this.config = config;
    this.length = length;
    int half = config.headDim() / 2;
    double[] frequencies = config.rotaryFrequencies(length);
    float[] angles = new float[length * config.headDim()];
    for (int t = 0; t < length; t++) {
      for (int i = 0; i < half; i++) {
        angles[t * config.headDim() + i] = (float) Math.cos(t * frequencies[i]);
        angles[t * config.headDim() + half + i] = (float) Math.sin(t * frequencies[i]);
      }
    }
    table = device.allocate("rotary angles", (long) angles.length * Float.BYTES);
    try (FloatPointer host = new FloatPointer(angles)) {
      device.upload(table, host.address(), (long) angles.length * Float.BYTES);
      device.synchronize();
    }
  }

  /** Whether these are the angles of sequences of {@code seq} tokens. */
  boolean suits(int seq) {
    return config.ropeScaling().dependsOnLength() ? seq == length : seq <= length;
  }

  long table() {
    return table;
  }

  @Override
  public void close() {
    device.free(table);
  }
}
