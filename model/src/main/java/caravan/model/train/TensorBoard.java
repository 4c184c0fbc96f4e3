package caravan.model.train;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.zip.CRC32C;

/**
 * Scalars in TensorBoard's event format: TFRecord frames (length, masked CRC-32C of it, payload,
 * masked CRC-32C of that) around {@code tensorflow.Event} messages, whose few fields are encoded by
 * hand here.
 */
final class TensorBoard {
  private final ByteArrayOutputStream file = new ByteArrayOutputStream();

  /** What a file of events begins with. */
  static byte[] header() {
    TensorBoard board = new TensorBoard();
    ByteArrayOutputStream event = new ByteArrayOutputStream();
    bytes(event, 3, "brain.Event:2".getBytes(StandardCharsets.UTF_8));
    board.frame(event.toByteArray());
    return board.bytes();
  }

  /** The points of some lines of metrics. */
  static byte[] events(List<Metrics> lines) {
    TensorBoard board = new TensorBoard();
    for (Metrics line : lines) {
      board.add(line);
    }
    return board.bytes();
  }

  private void add(Metrics line) {
    BiConsumer<String, Double> point = (tag, y) -> scalar(tag, y, line.step(), line.time());
    point.accept("loss/train", line.loss());
    point.accept("loss/validation", line.validationLoss());
    point.accept("loss/train_sample", line.trainingLoss());
    point.accept("learning_rate", line.learningRate());
    point.accept("gradient_norm", line.gradientNorm());
    point.accept("tokens_per_second", line.tokensPerSecond());
    point.accept("spike", Boolean.TRUE.equals(line.spike()) ? line.loss() : null);
    if (line.mixture() != null) {
      line.mixture().forEach((source, share) -> point.accept("mixture/" + source, share));
    }
    Metrics.Timing timing = line.timing();
    if (timing != null) {
      point.accept("mfu", timing.mfu());
      point.accept("round/compute_seconds", timing.computeSeconds());
      point.accept("round/wait_seconds", timing.waitSeconds());
      point.accept("round/exchange_seconds", timing.exchangeSeconds());
      for (int worker = 0; worker < timing.workerLosses().length; worker++) {
        point.accept("loss/worker_" + worker, timing.workerLosses()[worker]);
      }
    }
  }

  /** Adds a point, unless the value is null. */
  void scalar(String tag, Double value, long step, double time) {
    if (value == null) {
      return;
    }
    ByteArrayOutputStream point = new ByteArrayOutputStream();
    bytes(point, 1, tag.getBytes(StandardCharsets.UTF_8));
    point.write(2 << 3 | 5);
    point.writeBytes(little(4).putFloat(value.floatValue()).array());
    ByteArrayOutputStream summary = new ByteArrayOutputStream();
    bytes(summary, 1, point.toByteArray());
    ByteArrayOutputStream event = new ByteArrayOutputStream();
    fixed64(event, 1, time);
    event.write(2 << 3);
    varint(event, step);
    bytes(event, 5, summary.toByteArray());
    frame(event.toByteArray());
  }

  byte[] bytes() {
    return file.toByteArray();
  }

  private void frame(byte[] payload) {
    byte[] length = little(8).putLong(payload.length).array();
    file.writeBytes(length);
    file.writeBytes(little(4).putInt(maskedCrc(length)).array());
    file.writeBytes(payload);
    file.writeBytes(little(4).putInt(maskedCrc(payload)).array());
  }

  private static int maskedCrc(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    int value = (int) crc.getValue();
    return (value >>> 15 | value << 17) + 0xa282ead8;
  }

  private static void fixed64(ByteArrayOutputStream out, int field, double value) {
    out.write(field << 3 | 1);
    out.writeBytes(little(8).putDouble(value).array());
  }

  private static void bytes(ByteArrayOutputStream out, int field, byte[] value) {
    out.write(field << 3 | 2);
    varint(out, value.length);
    out.writeBytes(value);
  }

  private static void varint(ByteArrayOutputStream out, long value) {
    while ((value & ~0x7fL) != 0) {
      out.write((int) (value & 0x7f | 0x80));
      value >>>= 7;
    }
    out.write((int) value);
  }

  private static ByteBuffer little(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
