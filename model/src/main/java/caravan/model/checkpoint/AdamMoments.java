package caravan.model.checkpoint;

import org.bytedeco.javacpp.FloatPointer;

/**
 * Adam's running means, in the order of the parameters.
 *
 * @param first [parameters] mean of the gradient
 * @param second [parameters] mean of its square
 */
public record AdamMoments(FloatPointer first, FloatPointer second) {}
