package caravan.model.engine.cuda;

import caravan.model.ParameterRanges;
import caravan.model.engine.ResidentTraining;
import caravan.model.engine.TokenBatch;
import caravan.model.engine.TrainingPass;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Steps on the GPU without waiting for it: each leaves its losses and norm in a row of a table,
 * which is read when it is full or asked for.
 */
final class CudaTraining implements ResidentTraining {
  /** Rows of the table: fp64 sums of losses and of penalties, fp32 clipping factor, fp32 norm. */
  private static final int ROWS = 1024;

  private static final int ROW_BYTES = 24;
  private static final int PENALTY_AT = 8;
  private static final int CLIP_AT = 16;
  private static final int NORM_AT = 20;

  private final CudaEngine engine;
  private final Device device;
  private final DeviceParameters parameters;
  private final Updates updates;
  private final ByteBuffer hostTable;
  private final long table;
  private final int squareBlocks;
  private final long squares;
  private final List<Step> read = new ArrayList<>();
  private final List<Integer> pendingTargets = new ArrayList<>();
  private Recipe recipe;
  private FloatPointer host;
  private FloatPointer state;
  private List<DeviceParameters.Range> ranges;
  private int rangeCapacity;
  private long rangeEnds;
  private long rangeDecays;

  CudaTraining(CudaEngine engine) {
    this.engine = engine;
    this.device = engine.device();
    this.parameters = engine.parameters();
    this.updates = new Updates(engine.kernels().launch());
    hostTable = device.allocateHost((long) ROWS * ROW_BYTES);
    table = device.allocate("results", (long) ROWS * ROW_BYTES);
    squareBlocks = 4 * device.multiprocessors();
    squares = device.allocate("results", (long) squareBlocks * Double.BYTES);
  }

  /**
   * @param stateHost the optimizer's vectors of what is moved, one after the other; null for none
   */
  void begin(FloatPointer parametersHost, FloatPointer stateHost, Recipe how) {
    host = parametersHost;
    state = stateHost;
    recipe = how;
    read.clear();
    pendingTargets.clear();
    engine.upload(host);
    for (int i = 0; i < recipe.optimizer().stateVectors(); i++) {
      parameters.upload(vector(i), parameters.state(i), recipe.moved());
    }
    sendRanges();
  }

  private FloatPointer vector(int index) {
    ParameterRanges moved = recipe.moved().within(0, engine.trainedLength());
    return state.getPointer(index * moved.length());
  }

  private void sendRanges() {
    ranges = parameters.ranges(recipe.decay(), recipe.moved());
    int count = ranges.size();
    if (count > rangeCapacity) {
      device.synchronize();
      device.free(rangeEnds);
      device.free(rangeDecays);
      rangeCapacity = 0;
      rangeEnds = device.allocate("results", (long) count * Long.BYTES);
      rangeDecays = device.allocate("results", (long) count * Float.BYTES);
      rangeCapacity = count;
    }
    ByteBuffer both = device.allocateHost((long) count * (Long.BYTES + Float.BYTES));
    for (int i = 0; i < count; i++) {
      both.putLong(i * Long.BYTES, ranges.get(i).end());
      both.putFloat(count * Long.BYTES + i * Float.BYTES, ranges.get(i).decay());
    }
    long from = Driver.addressOf(both);
    device.upload(rangeEnds, from, (long) count * Long.BYTES);
    device.upload(rangeDecays, from + (long) count * Long.BYTES, (long) count * Float.BYTES);
    device.synchronize();
    device.freeHost(both);
  }

  @Override
  public void step(TokenBatch batch, double learningRate, int step, int stateSteps) {
    if (host == null) {
      throw new IllegalStateException("training on the GPU: used after close(); open it again");
    }
    if (pendingTargets.size() == ROWS) {
      drain();
    }
    long row = table + (long) pendingTargets.size() * ROW_BYTES;
    gradients(batch, step, row);
    pendingTargets.add(batch.targetCount());
    clearWhatStays();
    long clip = row + CLIP_AT;
    updates.clip(
        clip,
        squares,
        squareBlocks,
        parameters.gradients(),
        parameters.length(),
        (float) recipe.optimizer().clipNorm());
    updates.update(
        parameters,
        new Updates.Runs(clip, rangeEnds, rangeDecays, ranges.size()),
        recipe.optimizer(),
        learningRate,
        stateSteps + 1);
  }

  /** A step's gradient, in passes of as many sequences as the recipe says. */
  private void gradients(TokenBatch batch, int step, long sums) {
    int rows = recipe.passSequences() == 0 ? batch.batch() : recipe.passSequences();
    int targets = batch.targetCount();
    for (int row = 0; row < batch.batch(); row += rows) {
      TokenBatch part =
          rows >= batch.batch() ? batch : batch.rows(row, Math.min(rows, batch.batch() - row));
      engine.send(part, new TrainingPass(recipe.objective(), step, targets, row > 0));
      engine.gradients(sums);
    }
  }

  /** The norm is that of what is moved. */
  private void clearWhatStays() {
    long begin = 0;
    for (DeviceParameters.Range range : ranges) {
      if (range.decay() == DeviceParameters.STAYS) {
        device.zero(
            parameters.gradients() + begin * Float.BYTES, (range.end() - begin) * Float.BYTES);
      }
      begin = range.end();
    }
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
      int at = i * ROW_BYTES;
      TrainingPass.Loss loss =
          CudaEngine.loss(
              hostTable.getDouble(at),
              hostTable.getDouble(at + PENALTY_AT),
              recipe.objective(),
              targets);
      float norm = hostTable.getFloat(at + NORM_AT);
      read.add(new Step(loss.objective(), loss.crossEntropy(), norm, targets));
    }
    pendingTargets.clear();
  }

  @Override
  public void store() {
    parameters.download(host, parameters.masters());
    for (int i = 0; i < recipe.optimizer().stateVectors(); i++) {
      parameters.download(vector(i), parameters.state(i), recipe.moved());
    }
    device.synchronize();
  }

  @Override
  public void close() {
    host = null;
    state = null;
  }
}
