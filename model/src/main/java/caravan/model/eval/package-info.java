/** Measuring a model: token ids in, numbers out. Natural logarithms throughout. */
package caravan.model.eval;
