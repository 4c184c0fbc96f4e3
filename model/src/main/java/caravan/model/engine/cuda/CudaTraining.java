package caravan.model.engine.cuda;

import caravan.model.engine.ResidentTraining;
import caravan.model.engine.TokenBatch;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Steps on the GPU without waiting for it: each leaves its loss and norm in a row of a table, which
 * is read when it is full or asked for.
 */
final class CudaTraining implements ResidentTraining {
  /** Rows of the table: fp64 sum of losses, fp32 clipping factor, fp32 norm. */
  private static final int ROWS = 1024;

  private static final int ROW_BYTES = 16;
  private static final int CLIP_AT = 8;
  private static final int NORM_AT = 12;

  private final CudaEngine engine;
  private final Device device;
  private final DeviceParameters parameters;
  private final ByteBuffer hostTable;
  private final long table;
  private final int squareBlocks;
  private final long squares;
  private final int rangeCapacity;
  private final long rangeEnds;
  private final long rangeDecays;
  private final List<Step> read = new ArrayList<>();
  private final List<Integer> pendingTargets = new ArrayList<>();
  private Optimizer adam;
  private FloatPointer host;
  private FloatPointer first;
  private FloatPointer second;
  private int ranges;

  CudaTraining(CudaEngine engine) {
    this.engine = engine;
    this.device = engine.device();
    this.parameters = engine.parameters();
    hostTable = device.allocateHost((long) ROWS * ROW_BYTES);
    table = device.allocate("results", (long) ROWS * ROW_BYTES);
    squareBlocks = 4 * device.multiprocessors();
    squares = device.allocate("results", (long) squareBlocks * Double.BYTES);
    rangeCapacity = engine.layout().tensors().size();
    rangeEnds = device.allocate("results", (long) rangeCapacity * Long.BYTES);
    rangeDecays = device.allocate("results", (long) rangeCapacity * Float.BYTES);
  }

  void begin(FloatPointer parametersHost, FloatPointer m, FloatPointer v, Optimizer optimizer) {
    host = parametersHost;
    first = m;
    second = v;
    adam = optimizer;
    read.clear();
    pendingTargets.clear();
    engine.upload(host);
    parameters.upload(first, parameters.first());
    parameters.upload(second, parameters.second());
    List<DeviceParameters.Range> decays = parameters.decayRanges(adam.weightDecay());
    ranges = decays.size();
    ByteBuffer ends = device.allocateHost((long) ranges * (Long.BYTES + Float.BYTES));
    for (int i = 0; i < ranges; i++) {
      ends.putLong(i * Long.BYTES, decays.get(i).end());
      ends.putFloat(ranges * Long.BYTES + i * Float.BYTES, decays.get(i).decay());
    }
    long from = Driver.addressOf(ends);
    device.upload(rangeEnds, from, (long) ranges * Long.BYTES);
    device.upload(rangeDecays, from + (long) ranges * Long.BYTES, (long) ranges * Float.BYTES);
    device.synchronize();
    device.freeHost(ends);
  }

  @Override
  public void step(TokenBatch batch, double learningRate, int iteration) {
    if (host == null) {
      throw new IllegalStateException("training on the GPU: used after close(); open it again");
    }
    engine.send(batch);
    if (pendingTargets.size() == ROWS) {
      drain();
    }
    long row = table + (long) pendingTargets.size() * ROW_BYTES;
    pendingTargets.add(batch.targetCount());
    engine.gradients(batch, row);
    long clip = row + CLIP_AT;
    engine
        .kernels()
        .clip(
            clip,
            squares,
            squareBlocks,
            parameters.gradients(),
            parameters.length(),
            (float) adam.clipNorm());
    double t = iteration + 1.0;
    engine
        .kernels()
        .adamw(
            parameters,
            clip,
            rangeEnds,
            rangeDecays,
            ranges,
            new Kernels.Adam(
                (float) (learningRate / (1 - Math.pow(adam.beta1(), t))),
                (float) (1 / Math.sqrt(1 - Math.pow(adam.beta2(), t))),
                (float) adam.beta1(),
                (float) (1 - adam.beta1()),
                (float) adam.beta2(),
                (float) (1 - adam.beta2()),
                (float) adam.epsilon(),
                (float) learningRate));
  }

  @Override
  public List<Step> steps() {
    drain();
    return List.copyOf(read);
  }

  private void drain() {
    if (!pendingTargets.isEmpty()) {
      long bytes = (long) pendingTargets.size() * ROW_BYTES;
      device.download(Driver.addressOf(hostTable), table, bytes);
      device.synchronize();
    }
    for (int i = 0; i < pendingTargets.size(); i++) {
      int targets = pendingTargets.get(i);
      double loss = hostTable.getDouble(i * ROW_BYTES) / Math.max(1, targets);
      read.add(new Step(loss, loss, hostTable.getFloat(i * ROW_BYTES + NORM_AT), targets));
    }
    pendingTargets.clear();
  }

  @Override
  public void store() {
    parameters.download(host, parameters.masters());
    parameters.download(first, parameters.first());
    parameters.download(second, parameters.second());
    device.synchronize();
  }

  @Override
  public void close() {
    host = null;
    first = null;
    second = null;
  }
}
