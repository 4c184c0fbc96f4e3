package caravan.jobs;

import caravan.model.LlamaConfig;
import caravan.model.RopeScaling;
import java.util.Optional;

/**
 * The keys under {@code model} in reference.conf: Hugging Face's names of a Llama's shape, for
 * training from random weights.
 */
record ModelConfig(
    int hiddenSize,
    int intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int numKeyValueHeads,
    Optional<Integer> headDim,
    Optional<Integer> maxPositionEmbeddings,
    double ropeTheta,
    ModelContext.Scaling ropeScaling,
    double rmsNormEps,
    boolean tieWordEmbeddings) {

  /**
   * @param vocabSize of the tokenizer that the training data was made with
   * @param sequenceLength of the training; the context where none is set
   * @throws IllegalArgumentException when the sizes do not fit each other
   */
  LlamaConfig llama(int vocabSize, int sequenceLength) {
    RopeScaling scaling = ropeScaling.of(sequenceLength);
    int context =
        maxPositionEmbeddings.orElse(
            scaling.dependsOnLength() ? scaling.longest() : sequenceLength);
    if (context < sequenceLength) {
      throw new IllegalArgumentException(
          "model.max-position-embeddings: got %d, wanted at least train.sequence-length = %d"
              .formatted(context, sequenceLength));
    }
    if (headDim.isEmpty() && (numAttentionHeads < 1 || hiddenSize % numAttentionHeads != 0)) {
      throw new IllegalArgumentException(
          "model.hidden-size: got %d, wanted a multiple of model.num-attention-heads = %d; or set model.head-dim"
              .formatted(hiddenSize, numAttentionHeads));
    }
    return new LlamaConfig(
        hiddenSize,
        intermediateSize,
        numHiddenLayers,
        numAttentionHeads,
        numKeyValueHeads,
        headDim.orElseGet(() -> hiddenSize / numAttentionHeads),
        vocabSize,
        context,
        ropeTheta,
        rmsNormEps,
        tieWordEmbeddings,
        scaling);
  }

  /** What of this may change a trained model. */
  ModelContext context() {
    return new ModelContext(maxPositionEmbeddings, ropeScaling);
  }
}
