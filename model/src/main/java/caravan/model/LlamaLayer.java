package caravan.model;

import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.Engines;
import caravan.model.engine.Objective;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.deeplearning4j.nn.api.ParamInitializer;
import org.deeplearning4j.nn.conf.InputPreProcessor;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.BaseLayer;
import org.deeplearning4j.nn.conf.memory.LayerMemoryReport;
import org.deeplearning4j.nn.conf.memory.MemoryReport;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.learning.regularization.Regularization;
import org.nd4j.linalg.learning.regularization.WeightDecay;
import org.nd4j.shade.jackson.annotation.JsonProperty;

/**
 * A whole Llama as one Deeplearning4j output layer: its configuration, as it is written to JSON and
 * shipped to Spark's workers. {@link LlamaOutput} runs it.
 *
 * <p>One layer rather than one per block, so that tied embeddings, clipping by the global norm and
 * buffers shared between blocks stay simple. Its parameters are one flat view laid out by {@link
 * ParameterLayout}; all of them answer with the same updater, so Deeplearning4j makes one updater
 * block of them. Weight decay is the layer's own setting: it spares the norms' gains, and
 * Deeplearning4j 1.0.0-M2.1 applies a decay configured for the whole network twice.
 *
 * <p>Input: [batch, seq] token ids as floats. Labels: [batch, seq] target ids as floats, −1 where
 * no loss is taken.
 */
public final class LlamaLayer extends BaseLayer {
  private static final long serialVersionUID = 1;

  /** Ids travel as floats, which hold integers exactly up to here. */
  private static final int MAX_VOCAB_SIZE = 1 << 24;

  @JsonProperty private LlamaConfig llama;
  @JsonProperty private String engine;
  @JsonProperty private int threads;
  @JsonProperty private WeightDecayRates decay;
  @JsonProperty private Objective objective;
  @JsonProperty private int passSequences;
  @JsonProperty private Adaptation adaptation;

  /** For Jackson. */
  LlamaLayer() {}

  /**
   * @param engine a name of {@link Engines}
   * @param threads threads of that engine in each replica; 1 where several workers share a machine
   * @param weightDecay decoupled decay of matrices: each step takes learning rate × weightDecay of
   *     every weight away (Loshchilov and Hutter, arXiv 1711.05101)
   * @throws IllegalArgumentException when there is no such engine, no thread, or a vocabulary too
   *     large for ids that travel as floats
   */
  public LlamaLayer(LlamaConfig llama, String engine, int threads, double weightDecay) {
    this(llama, engine, threads, WeightDecayRates.ofMatrices(weightDecay), Objective.PLAIN, 0);
  }

  /**
   * @param decay decoupled decay
   * @param objective what training optimizes
   * @param passSequences sequences of a step's batch that go through the engine at a time, their
   *     gradients added up; 0 for all
   */
  public LlamaLayer(
      LlamaConfig llama,
      String engine,
      int threads,
      WeightDecayRates decay,
      Objective objective,
      int passSequences) {
    if (threads < 1) {
      throw new IllegalArgumentException("train.threads: got " + threads + ", wanted at least 1");
    }
    if (llama.vocabSize() > MAX_VOCAB_SIZE) {
      throw new IllegalArgumentException(
          "model.vocab-size: got " + llama.vocabSize() + ", wanted at most " + MAX_VOCAB_SIZE);
    }
    this.llama = llama;
    this.engine = Engines.requireKnown(engine);
    this.threads = threads;
    this.decay = decay;
    this.objective = objective;
    this.passSequences = passSequences;
  }

  public LlamaConfig llama() {
    return llama;
  }

  public String engine() {
    return engine;
  }

  public int threads() {
    return threads;
  }

  public WeightDecayRates decay() {
    return decay;
  }

  public Objective objective() {
    return objective;
  }

  public int passSequences() {
    return passSequences;
  }

  /** The same layer whose parameters are adapters and what is trained in full beside a base. */
  public LlamaLayer beside(Adaptation frozen) {
    LlamaLayer layer = clone();
    layer.adaptation = frozen;
    layer.layout();
    return layer;
  }

  /** What stands beside a frozen base; empty where all parameters are trained. */
  public Optional<Adaptation> adaptation() {
    return Optional.ofNullable(adaptation);
  }

  /** Layout of the trained vector. */
  TensorLayout layout() {
    return adaptation == null
        ? new ParameterLayout(llama)
        : new AdapterLayout(llama, adaptation.lora());
  }

  @Override
  public LlamaLayer clone() {
    return (LlamaLayer) super.clone();
  }

  @Override
  public LlamaOutput instantiate(
      NeuralNetConfiguration conf,
      Collection<TrainingListener> listeners,
      int index,
      INDArray parameters,
      boolean initialize,
      DataType type) {
    if (type != DataType.FLOAT) {
      throw new IllegalArgumentException(
          "LlamaLayer: got network data type " + type + ", wanted FLOAT");
    }
    if (!getRegularization().isEmpty() || !getRegularizationBias().isEmpty()) {
      throw new IllegalArgumentException(
          "LlamaLayer: got regularization "
              + getRegularization()
              + getRegularizationBias()
              + ", wanted none: weight decay is a setting of the layer");
    }
    LlamaOutput layer = new LlamaOutput(conf, type);
    layer.setListeners(listeners);
    layer.setIndex(index);
    layer.setParamsViewArray(parameters);
    layer.setParamTable(initializer().init(conf, parameters, initialize));
    layer.setConf(conf);
    return layer;
  }

  @Override
  public ParamInitializer initializer() {
    return LlamaParameters.INSTANCE;
  }

  /** Always the layer's own: one updater for all parameters makes one updater block. */
  @Override
  public IUpdater getUpdaterByParam(String name) {
    if (getIUpdater() instanceof WholeVectorUpdater updater) {
      TensorLayout layout = layout();
      return updater.atTensor(layout.tensors().get(0).name().equals(name), layout.length());
    }
    return getIUpdater();
  }

  @Override
  public List<Regularization> getRegularizationByParam(String name) {
    Tensor tensor =
        layout().tensors().stream().filter(t -> t.name().equals(name)).findFirst().orElseThrow();
    double rate = decay.of(tensor);
    if (rate == 0) {
      return List.of();
    }
    return List.of(
        getIUpdater() instanceof WholeVectorUpdater updater
            ? new MovedDecay(tensor, updater, rate)
            : new WeightDecay(rate, true));
  }

  @Override
  public boolean isPretrainParam(String name) {
    return false;
  }

  @Override
  public InputType getOutputType(int index, InputType input) {
    return InputType.feedForward(llama.vocabSize());
  }

  @Override
  public void setNIn(InputType input, boolean override) {
    // Sequences may have any length up to the context: there is no fixed input width.
  }

  @Override
  public InputPreProcessor getPreProcessorForInputType(InputType input) {
    return null;
  }

  /** Parameters and updater state; activations depend on the batch and live in the engine. */
  @Override
  public LayerMemoryReport getMemoryReport(InputType input) {
    long length = layout().length();
    return new LayerMemoryReport.Builder(
            layerName, LlamaLayer.class, input, getOutputType(0, input))
        .standardMemory(length, getIUpdater().stateSize(length))
        .workingMemory(0, 0, 0, 0)
        .cacheMemory(MemoryReport.CACHE_MODE_ALL_ZEROS, MemoryReport.CACHE_MODE_ALL_ZEROS)
        .build();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof LlamaLayer that
        && super.equals(that)
        && llama.equals(that.llama)
        && engine.equals(that.engine)
        && threads == that.threads
        && decay.equals(that.decay)
        && objective.equals(that.objective)
        && passSequences == that.passSequences
        && Objects.equals(adaptation, that.adaptation);
  }

  @Override
  public int hashCode() {
    return 31 * super.hashCode() + llama.hashCode();
  }

  @Override
  public String toString() {
    return "LlamaLayer(" + llama + ", engine " + engine + ", threads " + threads + ")";
  }
}
