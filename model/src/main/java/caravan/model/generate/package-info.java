/** Continuing sequences of token ids. */
package caravan.model.generate;
