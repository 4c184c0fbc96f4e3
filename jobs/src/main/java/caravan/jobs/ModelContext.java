package caravan.jobs;

import caravan.model.LlamaConfig;
import caravan.model.RopeScaling;
import caravan.model.RopeScaling.Type;
import java.util.Optional;

/**
 * The keys under {@code model} that may change how a trained model is read: other rotary
 * frequencies, and with them a longer context.
 */
record ModelContext(Optional<Integer> maxPositionEmbeddings, Scaling ropeScaling) {
  /** As the checkpoint says. */
  static final ModelContext OWN =
      new ModelContext(Optional.empty(), new Scaling(Optional.empty(), 1, 1, 4, Optional.empty()));

  /**
   * {@link RopeScaling} as settings.
   *
   * @param ropeType leaves a checkpoint's own rule where it is not given
   * @param originalMaxPositionEmbeddings the checkpoint's context where it is not given
   */
  record Scaling(
      Optional<Type> ropeType,
      double factor,
      double lowFreqFactor,
      double highFreqFactor,
      Optional<Integer> originalMaxPositionEmbeddings) {

    /**
     * @param context of the first training in tokens, where the settings do not say
     */
    RopeScaling of(int context) {
      int original = originalMaxPositionEmbeddings.orElse(context);
      return switch (ropeType.orElse(Type.NONE)) {
        case NONE -> RopeScaling.NONE;
        case LINEAR -> RopeScaling.linear(factor);
        case DYNAMIC -> RopeScaling.dynamic(factor, original);
        case LLAMA3 -> RopeScaling.llama3(factor, lowFreqFactor, highFreqFactor, original);
      };
    }
  }

  /**
   * A trained model's shape as it is to be read; its own where the settings say nothing.
   *
   * @throws IllegalArgumentException when a longer context is asked for without a rule for it
   */
  LlamaConfig of(LlamaConfig trained) {
    if (ropeScaling.ropeType().isEmpty()) {
      maxPositionEmbeddings
          .filter(longest -> longest != trained.contextLength())
          .ifPresent(
              longest -> {
                throw new IllegalArgumentException(
                    "model.max-position-embeddings: got %,d, but the context of the checkpoint is %,d; say by model.rope-scaling.rope-type (linear, dynamic, llama3 or none) how longer texts are to be read"
                        .formatted(longest, trained.contextLength()));
              });
      return trained;
    }
    int before = trained.ropeScaling().originalMaxPositionEmbeddings();
    RopeScaling scaling = ropeScaling.of(before > 0 ? before : trained.contextLength());
    int stretched =
        scaling.type() == Type.NONE || trained.ropeScaling().type() != Type.NONE
            ? trained.contextLength()
            : (int) Math.round(scaling.factor() * trained.contextLength());
    return trained.withContext(
        maxPositionEmbeddings.orElse(scaling.dependsOnLength() ? scaling.longest() : stretched),
        scaling);
  }
}
