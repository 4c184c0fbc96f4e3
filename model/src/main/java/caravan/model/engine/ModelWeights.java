package caravan.model.engine;

import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;

/**
 * A model's weights as decoding reads them: the parameter buffer itself in F32, else a copy of its
 * matrices in another type. Gains of norms stay floats.
 */
final class ModelWeights implements AutoCloseable {
  private static final int CACHE_LINE_BYTES = 64;

  /** One block's matrices. */
  record Block(
      WeightMatrix qkv, WeightMatrix attentionOutput, WeightMatrix gateUp, WeightMatrix down) {}

  private final WeightType type;
  private final Weights floats;
  private final List<Block> blocks = new ArrayList<>();
  private final WeightMatrix embedding;
  private final WeightMatrix head;
  private final List<BytePointer> owned = new ArrayList<>();

  /**
   * @param parameters [layout.length()]; as F32 they are read in place, else only here
   */
  ModelWeights(ParameterLayout layout, FloatPointer parameters, WeightType type, Team team) {
    this.type = type;
    this.floats = new Weights(layout, parameters);
    embedding = matrix(layout.embedding(), team);
    for (int l = 0; l < layout.config().layerCount(); l++) {
      ParameterLayout.Block block = layout.block(l);
      blocks.add(
          new Block(
              matrix(block.qkv(), team),
              matrix(block.attentionOutput(), team),
              matrix(block.gateUp(), team),
              matrix(block.down(), team)));
    }
    head = layout.config().tiedEmbeddings() ? embedding : matrix(layout.head(), team);
  }

  /**
   * @param base packed; stays the caller's
   */
  ModelWeights(FrozenBase base) {
    type = base.type();
    floats = Weights.of(base);
    ParameterLayout layout = new ParameterLayout(base.config());
    embedding = floats.packed(layout.embedding());
    for (int l = 0; l < base.config().layerCount(); l++) {
      ParameterLayout.Block block = layout.block(l);
      blocks.add(
          new Block(
              floats.packed(block.qkv()),
              floats.packed(block.attentionOutput()),
              floats.packed(block.gateUp()),
              floats.packed(block.down())));
    }
    head = floats.packed(layout.head());
  }

  private WeightMatrix matrix(Tensor tensor, Team team) {
    long source = floats.address(tensor);
    if (type == WeightType.F32) {
      return new WeightMatrix(type, source, tensor.rows(), tensor.cols());
    }
    BytePointer memory =
        new BytePointer(type.bytes(tensor.rows(), tensor.cols()) + CACHE_LINE_BYTES);
    owned.add(memory);
    long aligned = (memory.address() + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    WeightMatrix matrix = new WeightMatrix(type, aligned, tensor.rows(), tensor.cols());
    int size = team.size();
    team.run(
        member ->
            matrix.pack(
                source,
                (int) ((long) tensor.rows() * member / size),
                (int) ((long) tensor.rows() * (member + 1) / size)));
    return matrix;
  }

  WeightType type() {
    return type;
  }

  /** Whether these are the same numbers in the same place. */
  boolean equal(ModelWeights other) {
    return this == other
        || type == WeightType.F32
            && other.type == WeightType.F32
            && embedding.row(0) == other.embedding.row(0);
  }

  boolean isOf(FloatPointer parameters) {
    return floats.isAt(parameters);
  }

  Block block(int layer) {
    return blocks.get(layer);
  }

  WeightMatrix embedding() {
    return embedding;
  }

  WeightMatrix head() {
    return head;
  }

  Buffer attentionNorm(int layer) {
    return floats.attentionNorm(layer);
  }

  Buffer mlpNorm(int layer) {
    return floats.mlpNorm(layer);
  }

  Buffer finalNorm() {
    return floats.finalNorm();
  }

  @Override
  public void close() {
    owned.forEach(BytePointer::close);
    owned.clear();
  }
}
