package caravan.model;

import caravan.model.ParameterLayout.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Where the trained tensors of a model with adapters lie in their flat buffer: first the modules
 * trained in full, then per block and fused matrix the A of each adapted projection, one below the
 * other (one product with all of them), and then their B. The frozen base is not part of it.
 */
public final class AdapterLayout implements TensorLayout {

  /**
   * One projection's adapter.
   *
   * @param module Hugging Face's name of the projection, such as {@code q_proj}
   * @param a [rank, in]
   * @param b [out, rank]
   * @param firstRow of the fused matrix that the projection is
   */
  public record Adapter(int layer, String module, Tensor a, Tensor b, int firstRow) {
    /** Output width of the projection. */
    public int out() {
      return b.rows();
    }

    /** Its projection's number among all of the model's. */
    public int number() {
      return LoraConfig.PROJECTIONS.size() * layer + LoraConfig.PROJECTIONS.indexOf(module);
    }

    /** Path of the projection in Hugging Face's model, such as model.layers.0.mlp.up_proj. */
    public String path() {
      boolean attention = List.of("q_proj", "k_proj", "v_proj", "o_proj").contains(module);
      return "model.layers." + layer + (attention ? ".self_attn." : ".mlp.") + module;
    }
  }

  /**
   * The adapters of one fused matrix.
   *
   * @param a all their A as one matrix [adapters · rank, in]
   */
  public record Group(Tensor a, List<Adapter> adapters) {
    /** Width of all low-rank activations: adapters · rank. */
    public int width() {
      return a.rows();
    }
  }

  private final LlamaConfig config;
  private final LoraConfig lora;
  private final ParameterLayout model;
  private final List<Tensor> tensors = new ArrayList<>();
  private final Map<Tensor, Tensor> saved = new LinkedHashMap<>();
  private final Map<Tensor, Group> groups = new HashMap<>();
  private final List<Adapter> adapters = new ArrayList<>();
  private long length;

  /**
   * @throws IllegalArgumentException when the head is to be trained apart from the embedding that
   *     it is tied to
   */
  public AdapterLayout(LlamaConfig config, LoraConfig lora) {
    this.config = config;
    this.lora = lora;
    this.model = new ParameterLayout(config);
    addSaved();
    for (int layer = 0; layer < config.layerCount(); layer++) {
      ParameterLayout.Block block = model.block(layer);
      int q = config.queryDim();
      int kv = config.kvDim();
      int inter = config.intermediateSize();
      addGroup(
          layer, block.qkv(), new Row("q_proj", q), new Row("k_proj", kv), new Row("v_proj", kv));
      addGroup(layer, block.attentionOutput(), new Row("o_proj", config.hiddenSize()));
      addGroup(layer, block.gateUp(), new Row("gate_proj", inter), new Row("up_proj", inter));
      addGroup(layer, block.down(), new Row("down_proj", config.hiddenSize()));
    }
  }

  /** A projection within a fused matrix. */
  private record Row(String module, int rows) {}

  private void addSaved() {
    boolean embedding = lora.saves("embed_tokens");
    if (config.tiedEmbeddings() && lora.saves("lm_head") && !embedding) {
      throw new IllegalArgumentException(
          "lora.modules-to-save: got lm_head without embed_tokens, but the model's head is tied to"
              + " its embedding; give both, or none");
    }
    if (embedding) {
      save(model.embedding());
    }
    for (int layer = 0; layer < config.layerCount(); layer++) {
      if (lora.saves("input_layernorm")) {
        save(model.block(layer).attentionNorm());
      }
      if (lora.saves("post_attention_layernorm")) {
        save(model.block(layer).mlpNorm());
      }
    }
    if (lora.saves("norm")) {
      save(model.finalNorm());
    }
    if (lora.saves("lm_head") && !config.tiedEmbeddings()) {
      save(model.head());
    }
  }

  private void save(Tensor frozen) {
    saved.put(frozen, add(frozen.name(), frozen.rows(), frozen.cols()));
  }

  private void addGroup(int layer, Tensor matrix, Row... rows) {
    int rank = lora.rank();
    List<Row> chosen = List.of(rows).stream().filter(r -> lora.adapts(r.module())).toList();
    if (chosen.isEmpty()) {
      return;
    }
    long start = length;
    List<Tensor> as =
        chosen.stream().map(r -> add(name(layer, r, "A"), rank, matrix.cols())).toList();
    List<Tensor> bs = chosen.stream().map(r -> add(name(layer, r, "B"), r.rows(), rank)).toList();
    List<Adapter> group = new ArrayList<>();
    int firstRow = 0;
    for (Row row : rows) {
      int i = chosen.indexOf(row);
      if (i >= 0) {
        group.add(new Adapter(layer, row.module(), as.get(i), bs.get(i), firstRow));
      }
      firstRow += row.rows();
    }
    Tensor all = new Tensor(matrix.name() + "A", start, chosen.size() * rank, matrix.cols());
    groups.put(matrix, new Group(all, List.copyOf(group)));
    adapters.addAll(group);
  }

  /** Such as block0QProjA: Deeplearning4j's updaters split names at underscores. */
  private static String name(int layer, Row row, String matrix) {
    String module = row.module();
    int split = module.indexOf('_');
    return "block"
        + layer
        + Character.toUpperCase(module.charAt(0))
        + module.substring(1, split)
        + "Proj"
        + matrix;
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

  public LoraConfig lora() {
    return lora;
  }

  /** The whole model, base and trained in full alike. */
  public ParameterLayout model() {
    return model;
  }

  @Override
  public List<Tensor> tensors() {
    return List.copyOf(tensors);
  }

  @Override
  public long length() {
    return length;
  }

  /**
   * @throws IllegalArgumentException when a base of this shape is not one for these adapters
   */
  public void requireBase(LlamaConfig base) {
    if (!base.withVocabSize(1)
        .withContext(1, RopeScaling.NONE)
        .equals(config.withVocabSize(1).withContext(1, RopeScaling.NONE))) {
      throw new IllegalArgumentException(
          "adapter: made for "
              + config
              + ", the base is "
              + base
              + "; give the base it was made"
              + " for");
    }
    boolean inFull = saved.containsKey(model.embedding()) && saved.containsKey(model.head());
    if (base.vocabSize() != config.vocabSize() && !inFull) {
      throw new IllegalArgumentException(
          "adapter: made for a vocabulary of "
              + config.vocabSize()
              + " ids, the base has "
              + base.vocabSize()
              + "; give the base it was made for, or train embed_tokens and lm_head in full"
              + " (lora.modules-to-save)");
    }
  }

  /** All adapters, block by block. */
  public List<Adapter> adapters() {
    return List.copyOf(adapters);
  }

  /** The adapters of one fused matrix of the model, if it has any. */
  public Optional<Group> group(Tensor matrix) {
    return Optional.ofNullable(groups.get(matrix));
  }

  /** Tensors of the model that are trained in full, and where they lie here. */
  public Map<Tensor, Tensor> saved() {
    return new LinkedHashMap<>(saved);
  }
}
