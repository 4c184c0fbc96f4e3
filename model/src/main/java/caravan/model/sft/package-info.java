/** Supervised fine-tuning: which tokens of a conversation are trained. */
package caravan.model.sft;
