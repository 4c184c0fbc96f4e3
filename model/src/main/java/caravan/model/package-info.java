/**
 * Token ids to a Llama. This module knows token ids, never text.
 *
 * <p>Dimension legend, used in every comment: {@code batch} sequences, {@code seq} tokens per
 * sequence, {@code tokens} = batch × seq, {@code hidden} hiddenSize, {@code inter}
 * intermediateSize, {@code heads}, {@code kvHeads}, {@code headDim}, {@code vocab}.
 */
package caravan.model;
