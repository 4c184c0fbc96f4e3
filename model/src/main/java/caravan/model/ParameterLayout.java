package caravan.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Where each tensor lies in the one flat parameter buffer. Order: embedding, then per block
 * attention norm, fused query/key/value projection, attention output, feed-forward norm, fused
 * gate/up projection, down projection; then the final norm and, when the embeddings are not tied,
 * the head. Every matrix is row-major {@code [out, in]}, as in Hugging Face's files; queries and
 * keys keep Hugging Face's rotary order (component i is paired with i + headDim/2), so that
 * checkpoints are slices of this buffer.
 */
public final class ParameterLayout implements TensorLayout {

  /**
   * One tensor of the flat buffer.
   *
   * @param name its name, without underscores (DL4J's updaters split names there)
   * @param offset first element, in floats
   * @param rows output width; 1 for a norm's gain
   * @param cols input width
   */
  public record Tensor(String name, long offset, int rows, int cols) {
    public long length() {
      return (long) rows * cols;
    }

    /** Gains of norms; everything else is a matrix. Weight decay spares them. */
    public boolean isNorm() {
      return name.endsWith("Norm");
    }
  }

  /** The tensors of one block. */
  public record Block(
      Tensor attentionNorm,
      Tensor qkv,
      Tensor attentionOutput,
      Tensor mlpNorm,
      Tensor gateUp,
      Tensor down) {}

  private final LlamaConfig config;
  private final List<Tensor> tensors = new ArrayList<>();
  private final List<Tensor> unmodifiable = Collections.unmodifiableList(tensors);
  private final List<Block> blocks = new ArrayList<>();
  private final Tensor embedding;
  private final Tensor finalNorm;
  private final Tensor head;
  private long length;

  public ParameterLayout(LlamaConfig config) {
    this.config = config;
    int d = config.hiddenSize();
    embedding = add("embedding", config.vocabSize(), d);
    for (int l = 0; l < config.layerCount(); l++) {
      String block = "block" + l;
      blocks.add(
          new Block(
              add(block + "AttentionNorm", 1, d),
              add(block + "Qkv", config.qkvDim(), d),
              add(block + "AttentionOutput", d, config.queryDim()),
              add(block + "MlpNorm", 1, d),
              add(block + "GateUp", 2 * config.intermediateSize(), d),
              add(block + "Down", d, config.intermediateSize())));
    }
    finalNorm = add("finalNorm", 1, d);
    head = config.tiedEmbeddings() ? null : add("head", config.vocabSize(), d);
  }

  private Tensor add(String name, int rows, int cols) {
    Tensor tensor = new Tensor(name, length, rows, cols);
    tensors.add(tensor);
    length += tensor.length();
    return tensor;
  }

  public LlamaConfig config() {
    return config;
  }

  @Override
  public List<Tensor> tensors() {
    return unmodifiable;
  }

  public Tensor embedding() {
    return embedding;
  }

  public Block block(int layer) {
    return blocks.get(layer);
  }

  public Tensor finalNorm() {
    return finalNorm;
  }

  /** The output matrix: its own tensor, or the embedding when they are tied. */
  public Tensor head() {
    return head == null ? embedding : head;
  }

  /** Number of parameters. */
  @Override
  public long length() {
    return length;
  }
}
