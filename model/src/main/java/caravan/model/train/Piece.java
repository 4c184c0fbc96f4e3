package caravan.model.train;

import caravan.model.train.Exchange.WorkerReport;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.util.Optional;
import org.apache.spark.util.KnownSizeEstimation;
import org.bytedeco.javacpp.BytePointer;

/**
 * A worker's part of a slice, on its way through Spark's shuffle.
 *
 * <p>Spark's sorter holds all pieces of a task before it writes them, one behind the other, into
 * the shuffle's file. So a piece that is sent says where its floats lie, in the memory of the
 * worker's graph, from which they are copied once, into the file.
 *
 * @param slice its index
 * @param worker number of the worker
 * @param targetTokens the worker's weight
 * @param report of what the worker measured, with its first piece
 */
record Piece(
    int slice, int worker, long targetTokens, Optional<WorkerReport> report, Content content)
    implements KnownSizeEstimation {
  private static final long BYTES_ON_HEAP = 512;

  /** What is sent of the floats. */
  interface Content {
    /** In bytes. */
    int length();

    void writeTo(OutputStream out) throws IOException;
  }

  /** Floats in a graph's memory. */
  record InMemory(BytePointer memory, int length) implements Content {
    @Override
    public void writeTo(OutputStream out) throws IOException {
      RawBytes.write(memory, length, out);
    }
  }

  /** Content that has arrived. */
  private record Arrived(byte[] bytes) implements Content {
    @Override
    public int length() {
      return bytes.length;
    }

    @Override
    public void writeTo(OutputStream out) throws IOException {
      out.write(bytes);
    }
  }

  /** The content of a piece that has arrived. */
  byte[] bytes() {
    return ((Arrived) content).bytes;
  }

  /** Spark would else follow the references into the graph to measure it. */
  @Override
  public long estimatedSize() {
    return BYTES_ON_HEAP;
  }

  void writeTo(OutputStream stream) throws IOException {
    byte[] told = report.isPresent() ? serialized(report.get()) : new byte[0];
    DataOutputStream out = new DataOutputStream(stream);
    out.writeInt(slice);
    out.writeInt(worker);
    out.writeLong(targetTokens);
    out.writeInt(told.length);
    out.writeInt(content.length());
    out.write(told);
    content.writeTo(out);
  }

  /**
   * Reads the next piece.
   *
   * @return empty at the stream's end
   * @throws EOFException when it ends within a piece
   */
  static Optional<Piece> read(InputStream stream) throws IOException {
    byte[] slice = stream.readNBytes(Integer.BYTES);
    if (slice.length == 0) {
      return Optional.empty();
    }
    int index = new DataInputStream(new ByteArrayInputStream(slice)).readInt();
    DataInputStream in = new DataInputStream(stream);
    int worker = in.readInt();
    long targetTokens = in.readLong();
    byte[] told = new byte[in.readInt()];
    byte[] content = new byte[in.readInt()];
    in.readFully(told);
    RawBytes.read(stream, content);
    Optional<WorkerReport> report =
        told.length == 0 ? Optional.empty() : Optional.of(deserialized(told));
    return Optional.of(new Piece(index, worker, targetTokens, report, new Arrived(content)));
  }

  private static byte[] serialized(WorkerReport report) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(report);
    }
    return bytes.toByteArray();
  }

  private static WorkerReport deserialized(byte[] bytes) throws IOException {
    try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes))) {
      return (WorkerReport) in.readObject();
    } catch (ClassNotFoundException e) {
      throw new IOException(e);
    }
  }
}
