package caravan.model;

import caravan.model.engine.Engines;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.LlamaEngine.TokenScores;
import caravan.model.engine.TokenBatch;
import caravan.model.engine.TrainingPass;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.api.layers.IOutputLayer;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.gradient.DefaultGradient;
import org.deeplearning4j.nn.gradient.Gradient;
import org.deeplearning4j.nn.layers.BaseLayer;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.nd4j.common.primitives.Pair;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.api.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.factory.Nd4j;

/**
 * {@link LlamaLayer} at work: hands Deeplearning4j's flat parameter and gradient views to a {@link
 * LlamaEngine}. Its score is the mean over the batch's target tokens of cross entropy in nats, and
 * after a step of what the layer's {@link caravan.model.engine.Objective} makes of it.
 *
 * <p>The engine is opened at first use; {@link #close} frees it.
 */
public final class LlamaOutput extends BaseLayer<LlamaLayer> implements IOutputLayer {
  private static final long serialVersionUID = 1;

  private transient INDArray labels;
  private transient LlamaEngine engine;
  private transient int device;
  private transient FrozenBase base;
  private transient TrainingPass.Loss loss;

  /** Whether {@link #loss} belongs to the present input, labels and parameters. */
  private transient boolean lossKnown;

  LlamaOutput(NeuralNetConfiguration conf, DataType type) {
    super(conf, type);
  }

  /** The engine of this replica, opened on first use. */
  public LlamaEngine engine() {
    if (engine == null) {
      LlamaLayer layer = layerConf();
      engine =
          layer
              .adaptation()
              .map(frozen -> adapted(layer, frozen))
              .orElseGet(
                  () -> Engines.open(layer.engine(), layer.llama(), layer.threads(), device));
    }
    return engine;
  }

  private LlamaEngine adapted(LlamaLayer layer, Adaptation frozen) {
    if (base == null) {
      throw new IllegalStateException(
          "LlamaLayer: adapters beside "
              + frozen.base()
              + ", but no base was given; useBase first");
    }
    AdapterLayout layout = new AdapterLayout(layer.llama(), frozen.lora());
    return Engines.beside(layer.engine(), layout, base, layer.threads(), device);
  }

  /** The base that this layer's adapters stand beside; before the engine's first use. */
  public void useBase(FrozenBase frozen) {
    base = frozen;
  }

  /** Which GPU an engine on one uses, of those this process sees; before its first use. */
  public void useDevice(int index) {
    if (engine != null && index != device) {
      throw new IllegalStateException(
          "LlamaLayer: its engine is open on device " + device + ", wanted " + index);
    }
    device = index;
  }

  /** This layer's parameters as the engines see them. */
  public FloatPointer parameters() {
    return pointer(paramsFlattened);
  }

  @Override
  public Pair<Gradient, INDArray> backpropGradient(INDArray epsilon, LayerWorkspaceMgr workspaces) {
    loss = lossAndGradient(batch());
    lossKnown = true;
    Gradient gradient = new DefaultGradient(gradientsFlattened);
    for (Map.Entry<String, INDArray> entry : gradientViews.entrySet()) {
      gradient.setGradientFor(entry.getKey(), entry.getValue());
    }
    return new Pair<>(gradient, null);
  }

  /** A step's gradient, in passes of as many sequences as the layer says. */
  private TrainingPass.Loss lossAndGradient(TokenBatch batch) {
    LlamaLayer layer = layerConf();
    int step = getIterationCount();
    int targets = batch.targetCount();
    int rows = layer.passSequences();
    if (rows == 0 || rows >= batch.batch()) {
      TrainingPass whole = TrainingPass.whole(layer.objective(), step, batch);
      return engine().lossAndGradient(parameters(), pointer(gradientsFlattened), batch, whole);
    }
    TrainingPass.Loss sum = TrainingPass.Loss.ZERO;
    for (int row = 0; row < batch.batch(); row += rows) {
      TokenBatch part = batch.rows(row, Math.min(rows, batch.batch() - row));
      TrainingPass pass = new TrainingPass(layer.objective(), step, targets, row > 0);
      sum =
          sum.plus(engine().lossAndGradient(parameters(), pointer(gradientsFlattened), part, pass));
    }
    return sum;
  }

  /** Plain cross entropy of the last step, in nats per target token. */
  public double crossEntropy() {
    return loss.crossEntropy();
  }

  @Override
  public double computeScore(
      double regularization, boolean training, LayerWorkspaceMgr workspaces) {
    if (!lossKnown) {
      TokenBatch batch = batch();
      double mean = -sum(engine().score(parameters(), batch), 0, batch.ids().length) / count(batch);
      loss = new TrainingPass.Loss(mean, mean);
    }
    // The parameters move before the next call.
    lossKnown = false;
    score = loss.objective() + regularization;
    return score;
  }

  /** Decoupled decay is no part of the loss. */
  @Override
  public double calcRegularizationScore(boolean backpropOnly) {
    return 0;
  }

  /** Mean cross entropy over each sequence's own targets: [batch, 1]. */
  @Override
  public INDArray computeScoreForExamples(double regularization, LayerWorkspaceMgr workspaces) {
    TokenBatch batch = batch();
    TokenScores scores = engine().score(parameters(), batch);
    float[] means = new float[batch.batch()];
    for (int sequence = 0; sequence < means.length; sequence++) {
      int from = sequence * batch.seq();
      int to = from + batch.seq();
      int targets = 0;
      for (int i = from; i < to; i++) {
        targets += batch.targets()[i] == TokenBatch.IGNORED ? 0 : 1;
      }
      means[sequence] = (float) (-sum(scores, from, to) / Math.max(1, targets) + regularization);
    }
    try (MemoryWorkspace outside = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
      return Nd4j.createFromArray(means).reshape(means.length, 1);
    }
  }

  private static double sum(TokenScores scores, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += scores.logProbability()[i];
    }
    return sum;
  }

  private static int count(TokenBatch batch) {
    return Math.max(1, batch.targetCount());
  }

  private TokenBatch batch() {
    if (maskArray != null) {
      throw new IllegalArgumentException(
          "LlamaLayer: got a mask array, wanted targets of -1 where no loss is taken");
    }
    if (labels == null || input.rank() != 2 || !input.equalShapes(labels)) {
      throw new IllegalArgumentException(
          "LlamaLayer: got ids "
              + input.shapeInfoToString()
              + " and targets "
              + (labels == null ? "none" : labels.shapeInfoToString())
              + ", wanted both [batch, seq]");
    }
    return tokens(input, labels);
  }

  /** Ids and targets [batch, seq], marked or not, that travel as floats. */
  public static TokenBatch tokens(INDArray ids, INDArray targets) {
    return TokenBatch.ofMarked(
        integers(ids), integers(targets), (int) ids.size(0), (int) ids.size(1));
  }

  private static int[] integers(INDArray array) {
    try (MemoryWorkspace outside = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
      INDArray rows = array.castTo(DataType.FLOAT).dup('c');
      float[] values = new float[(int) rows.length()];
      pointer(rows).get(values);
      rows.close();
      int[] integers = new int[values.length];
      for (int i = 0; i < values.length; i++) {
        integers[i] = (int) values[i];
      }
      return integers;
    }
  }

  /** The first float of a view without gaps. */
  private static FloatPointer pointer(INDArray array) {
    return new FloatPointer(array.data().addressPointer());
  }

  @Override
  public void setInput(INDArray input, LayerWorkspaceMgr workspaces) {
    super.setInput(input, workspaces);
    lossKnown = false;
  }

  @Override
  public boolean needsLabels() {
    return true;
  }

  @Override
  public void setLabels(INDArray labels) {
    this.labels = labels;
  }

  @Override
  public INDArray getLabels() {
    return labels;
  }

  /** The loss is a mean over target tokens already. */
  @Override
  public boolean updaterDivideByMinibatch(String name) {
    return false;
  }

  @Override
  public long numParams() {
    return paramsFlattened.length();
  }

  @Override
  public boolean isPretrainLayer() {
    return false;
  }

  @Override
  public int numLabels() {
    return layerConf().llama().vocabSize();
  }

  @Override
  public void clear() {
    super.clear();
    labels = null;
  }

  /** Frees the engine; the next use opens a new one. */
  @Override
  public void close() {
    if (engine != null) {
      engine.close();
      engine = null;
    }
  }

  @Override
  public INDArray activate(boolean training, LayerWorkspaceMgr workspaces) {
    throw unsupported("output()", "engine().score or engine().decoder, which need no full logits");
  }

  @Override
  public double f1Score(DataSet data) {
    throw unsupported("f1Score", "engine().score");
  }

  @Override
  public double f1Score(INDArray examples, INDArray targets) {
    throw unsupported("f1Score", "engine().score");
  }

  @Override
  public int[] predict(INDArray examples) {
    throw unsupported("predict", "engine().decoder");
  }

  @Override
  public List<String> predict(DataSet data) {
    throw unsupported("predict", "engine().decoder");
  }

  @Override
  public void fit(DataSetIterator iterator) {
    throw unsupported("fit", "ComputationGraph.fit");
  }

  @Override
  public void fit(INDArray examples, INDArray targets) {
    throw unsupported("fit", "ComputationGraph.fit");
  }

  @Override
  public void fit(DataSet data) {
    throw unsupported("fit", "ComputationGraph.fit");
  }

  @Override
  public void fit(INDArray examples, int[] targets) {
    throw unsupported("fit", "ComputationGraph.fit");
  }

  private static UnsupportedOperationException unsupported(String what, String instead) {
    return new UnsupportedOperationException(
        "LlamaLayer: " + what + " is not offered; use " + instead);
  }
}
