package caravan.model.engine;

import caravan.model.AdapterLayout;
import caravan.model.AdapterLayout.Adapter;
import caravan.model.AdapterLayout.Group;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.javacpp.FloatPointer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Adapters by another way than {@link Adapters}, as its oracle: {@link Nd4jEngine} on merged
 * weights W + scale · B A, and the chain rule through that sum, dA = scale · Bᵀ dW and dB = scale ·
 * dW Aᵀ. An adapter that drops inputs has no merged weights, so there is no dropout here.
 */
public final class Nd4jAdapters implements LlamaEngine {
  private final AdapterLayout layout;
  private final FrozenBase base;
  private final Nd4jEngine engine;
  private final DataType type;

  /**
   * @throws IllegalArgumentException when the adapters drop inputs
   */
  public Nd4jAdapters(AdapterLayout layout, FrozenBase base) {
    this(layout, base, DataType.FLOAT);
  }

  /**
   * @param type FLOAT, or DOUBLE for gradient checks through the methods that take INDArrays
   */
  Nd4jAdapters(AdapterLayout layout, FrozenBase base, DataType type) {
    if (layout.lora().dropout() > 0) {
      throw new IllegalArgumentException(
          "lora.dropout: got "
              + layout.lora().dropout()
              + " with train.engine=nd4j, wanted 0: it trains on merged weights; use"
              + " train.engine=cpu");
    }
    this.layout = layout;
    this.base = base;
    this.type = type;
    this.engine = new Nd4jEngine(layout.config(), type);
  }

  @Override
  public LlamaConfig config() {
    return layout.config();
  }

  /** All of the model's parameters, the adapters added to their projections. */
  INDArray merged(INDArray trained) {
    INDArray all = Nd4j.create(type, layout.model().length());
    Map<String, Tensor> frozen = new HashMap<>();
    new ParameterLayout(base.config()).tensors().forEach(t -> frozen.put(t.name(), t));
    for (Tensor tensor : layout.model().tensors()) {
      Tensor full = layout.saved().get(tensor);
      INDArray place = Nd4jEngine.tensor(all, tensor);
      place.assign(
          full == null ? read(frozen.get(tensor.name())) : Nd4jEngine.tensor(trained, full));
      layout.group(tensor).map(Group::adapters).stream()
          .flatMap(List::stream)
          .forEach(
              adapter ->
                  rows(all, tensor, adapter)
                      .addi(
                          Nd4jEngine.tensor(trained, adapter.b())
                              .mmul(Nd4jEngine.tensor(trained, adapter.a()))
                              .muli(scale())));
    }
    return all;
  }

  private INDArray read(Tensor tensor) {
    INDArray floats = Nd4j.createUninitialized(DataType.FLOAT, tensor.rows(), tensor.cols());
    base.copy(tensor, floats.data().address());
    return floats;
  }

  /** The rows of a fused matrix that an adapter belongs to. */
  private static INDArray rows(INDArray all, Tensor matrix, Adapter adapter) {
    long offset = matrix.offset() + (long) adapter.firstRow() * matrix.cols();
    return Nd4jEngine.tensor(
        all, new Tensor(adapter.module(), offset, adapter.out(), matrix.cols()));
  }

  private double scale() {
    return layout.lora().scale();
  }

  /** As {@link Nd4jEngine}'s, by what is trained. */
  TrainingPass.Loss lossAndGradient(
      INDArray trained, INDArray gradient, TokenBatch batch, TrainingPass pass) {
    TrainingPass alone = new TrainingPass(pass.objective(), pass.step(), pass.targets(), false);
    INDArray all = Nd4j.create(type, layout.model().length());
    TrainingPass.Loss loss = engine.lossAndGradient(merged(trained), all, batch, alone);
    if (!pass.adds()) {
      gradient.assign(0);
    }
    layout
        .saved()
        .forEach(
            (model, own) -> Nd4jEngine.tensor(gradient, own).addi(Nd4jEngine.tensor(all, model)));
    for (Tensor tensor : layout.model().tensors()) {
      Optional<Group> group = layout.group(tensor);
      for (Adapter adapter : group.map(Group::adapters).orElse(List.of())) {
        INDArray dW = rows(all, tensor, adapter);
        INDArray a = Nd4jEngine.tensor(trained, adapter.a());
        INDArray b = Nd4jEngine.tensor(trained, adapter.b());
        Nd4jEngine.tensor(gradient, adapter.a()).addi(b.transpose().mmul(dW).muli(scale()));
        Nd4jEngine.tensor(gradient, adapter.b()).addi(dW.mmul(a.transpose()).muli(scale()));
      }
    }
    return loss;
  }

  @Override
  public TrainingPass.Loss lossAndGradient(
      FloatPointer parameters, FloatPointer gradient, TokenBatch batch, TrainingPass pass) {
    try (MemoryWorkspace outside = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
      INDArray flat = pass.adds() ? trained(gradient) : Nd4j.create(type, layout.length());
      TrainingPass.Loss loss = lossAndGradient(trained(parameters), flat, batch, pass);
      INDArray floats = flat.castTo(DataType.FLOAT);
      Buffer.Address.copy(floats.data().address(), Weights.addressOf(gradient), layout.length());
      return loss;
    }
  }

  private INDArray trained(FloatPointer parameters) {
    INDArray flat = Nd4j.createUninitialized(DataType.FLOAT, layout.length());
    Buffer.Address.copy(Weights.addressOf(parameters), flat.data().address(), layout.length());
    return flat.castTo(type);
  }

  @Override
  public TokenScores score(FloatPointer parameters, TokenBatch batch) {
    try (MemoryWorkspace outside = Nd4j.getMemoryManager().scopeOutOfWorkspaces();
        FloatPointer merged = floats(merged(trained(parameters)))) {
      return engine.score(merged, batch);
    }
  }

  private static FloatPointer floats(INDArray flat) {
    INDArray values = flat.castTo(DataType.FLOAT);
    FloatPointer floats = new FloatPointer(values.length());
    Buffer.Address.copy(values.data().address(), floats.address(), values.length());
    return floats;
  }

  @Override
  public Decoder decoder(FloatPointer parameters, int maxLength) {
    throw new IllegalStateException(
        "decoder: got an engine beside a frozen base, wanted one of the merged model");
  }

  @Override
  public void close() {
    engine.close();
  }
}
