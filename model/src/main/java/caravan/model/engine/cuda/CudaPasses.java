package caravan.model.engine.cuda;

import caravan.model.engine.LlamaEngine.TokenScores;
import caravan.model.engine.TokenBatch;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;

/**
 * Forward and backward over batches of any size, and the buffers that they need: sized by the
 * largest batch seen and kept.
 */
final class CudaPasses {
  private final CudaModel model;
  private final Device device;
  private final boolean recompute;
  private final CudaBlocks blocks;
  private final CudaHead head;
  private Angles angles;
  private BatchOnDevice batches;
  private CudaActivations training;
  private CudaActivations scoring;

  /**
   * @param recompute keep only the input of each block for the backward pass
   */
  CudaPasses(CudaModel model, boolean recompute) {
    this.model = model;
    this.device = model.device();
    this.recompute = recompute;
    this.blocks = new CudaBlocks(model, recompute);
    this.head = new CudaHead(model);
  }

  /** Checks a batch and sends it, with the angles of its positions. */
  void send(TokenBatch batch, Pass pass) {
    batch.requireFits(model.config());
    if (angles == null || !angles.suits(batch.seq())) {
      if (angles != null) {
        device.synchronize();
        angles.close();
        angles = null;
      }
      angles = new Angles(device, model.config(), batch.seq());
    }
    if (batches == null || !batches.holds(batch.ids().length)) {
      if (batches != null) {
        device.synchronize();
        batches.close();
        batches = null;
      }
      batches = new BatchOnDevice(device, model.config().vocabSize(), batch.ids().length);
    }
    batches.send(batch, angles.table(), pass);
    model.adapters().ifPresent(beside -> beside.prepare(batch.ids().length));
  }

  /**
   * Gradient of the batch that was sent.
   *
   * @param sums fp64 [2] receive the losses and what the objective has beside them
   */
  void gradients(long sums) {
    CudaActivations a = training(batches.tokens());
    if (batches.targetCount() > 0) {
      blocks.forward(a, batches);
      head.lossAndGradient(a, batches, sums);
      blocks.backward(a, batches);
    } else if (!batches.pass().adds()) {
      DeviceParameters trained = model.trained();
      device.zero(trained.gradients(), trained.length() * Float.BYTES);
      device.zero(sums, 2 * Double.BYTES);
    }
    batches.done();
  }

  /** Scores of the batch that was sent. */
  TokenScores score(TokenBatch batch) {
    int tokens = batch.ids().length;
    TokenScores scores = new TokenScores(new float[tokens], new boolean[tokens]);
    if (batches.targetCount() > 0) {
      CudaActivations a = scoring(tokens);
      blocks.forward(a, batches);
      head.score(a, batches);
      read(a, batch, scores);
    }
    batches.done();
    return scores;
  }

  private void read(CudaActivations a, TokenBatch batch, TokenScores scores) {
    int rows = batches.headRows();
    try (FloatPointer logProbability = new FloatPointer(rows);
        IntPointer greedy = new IntPointer(rows)) {
      device.download(logProbability.address(), a.rowLoss, (long) rows * Float.BYTES);
      device.download(greedy.address(), a.greedy, (long) rows * Integer.BYTES);
      device.synchronize();
      for (int position = 0, row = 0; position < batch.targets().length; position++) {
        boolean counts = batch.targets()[position] != TokenBatch.IGNORED;
        if (counts) {
          scores.logProbability()[position] = logProbability.get(row);
          scores.greedy()[position] = greedy.get(row) != 0;
        }
        row += counts || !batches.gathers() ? 1 : 0;
      }
    }
  }

  private CudaActivations training(int tokens) {
    if (training == null || !training.holds(tokens)) {
      close(training);
      training = null;
      training = activations(tokens, true);
    }
    return training;
  }

  private CudaActivations scoring(int tokens) {
    if (scoring == null || !scoring.holds(tokens)) {
      close(scoring);
      scoring = null;
      scoring = activations(tokens, false);
    }
    return scoring;
  }

  private CudaActivations activations(int tokens, boolean backward) {
    return new CudaActivations(
        device, model.precision(), model.config(), tokens, backward, recompute);
  }

  private void close(CudaActivations activations) {
    if (activations != null) {
      device.synchronize();
      activations.close();
    }
  }
}
