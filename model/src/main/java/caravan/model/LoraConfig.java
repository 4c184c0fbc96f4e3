package caravan.model;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;

/**
 * Which matrices get low-rank adapters, and how they enter (Hu et al., arXiv 2106.09685): with
 * x[in], A[rank, in] and B[out, rank] a projection W[out, in] becomes W x + scale · B A x.
 *
 * @param rank rows of A, columns of B; at least 1
 * @param alpha numerator of the scale
 * @param dropout probability that an adapter sees a zero instead of an input, in training; in [0,
 *     1)
 * @param targetModules names among {@link #PROJECTIONS}, without repeats
 * @param rslora scale alpha / √rank (Kalajdzievski, arXiv 2312.03732) instead of alpha / rank
 * @param modulesToSave names among {@link #SAVABLE} that are trained in full; a module is meant
 *     when its name ends so, as in PEFT: {@code norm} means every norm
 */
public record LoraConfig(
    int rank,
    double alpha,
    double dropout,
    List<String> targetModules,
    boolean rslora,
    List<String> modulesToSave)
    implements Serializable {

  /** The projections of a block, by Hugging Face's names, in the order of the fused matrices. */
  public static final List<String> PROJECTIONS =
      List.of("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj");

  /** What can be trained in full beside adapters, by Hugging Face's names. */
  public static final List<String> SAVABLE =
      List.of("embed_tokens", "lm_head", "input_layernorm", "post_attention_layernorm", "norm");

  public LoraConfig {
    if (rank < 1) {
      throw new IllegalArgumentException(
          "lora.rank: got " + rank + ", wanted at least 1 for adapters");
    }
    if (!(alpha > 0) || Double.isInfinite(alpha)) {
      throw new IllegalArgumentException(
          "lora.alpha: got " + alpha + ", wanted a positive number; the scale is alpha / rank");
    }
    if (!(dropout >= 0 && dropout < 1)) {
      throw new IllegalArgumentException(
          "lora.dropout: got " + dropout + ", wanted a number in [0, 1)");
    }
    targetModules = known("lora.target-modules", targetModules, PROJECTIONS);
    modulesToSave = known("lora.modules-to-save", modulesToSave, SAVABLE);
    if (targetModules.isEmpty()) {
      throw new IllegalArgumentException(
          "lora.target-modules: got none, wanted at least one of "
              + String.join(", ", PROJECTIONS));
    }
  }

  private static List<String> known(String key, List<String> names, List<String> choices) {
    for (String name : names) {
      if (!choices.contains(name)) {
        throw new IllegalArgumentException(
            key + ": got " + name + ", wanted some of " + String.join(", ", choices));
      }
    }
    if (new HashSet<>(names).size() < names.size()) {
      throw new IllegalArgumentException(key + ": got " + names + ", wanted each name once");
    }
    // In one order, so that two ways to write a choice are the same training.
    return new ArrayList<>(choices.stream().filter(names::contains).toList());
  }

  /**
   * The same for a model; where its head is tied to the embedding, naming the head adds nothing.
   */
  public LoraConfig on(LlamaConfig model) {
    if (!model.tiedEmbeddings() || !saves("embed_tokens")) {
      return this;
    }
    List<String> saved = modulesToSave.stream().filter(m -> !m.equals("lm_head")).toList();
    return new LoraConfig(rank, alpha, dropout, targetModules, rslora, saved);
  }

  /** What the product B A x is multiplied by. */
  public float scale() {
    return (float) (rslora ? alpha / Math.sqrt(rank) : alpha / rank);
  }

  public boolean adapts(String module) {
    return targetModules.contains(module);
  }

  /** Whether a module outside the adapters is trained in full. */
  public boolean saves(String module) {
    return modulesToSave.stream().anyMatch(module::endsWith);
  }
}
