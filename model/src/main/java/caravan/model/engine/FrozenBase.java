package caravan.model.engine;

import caravan.model.LlamaConfig;
import org.bytedeco.javacpp.FloatPointer;

/**
 * A model that adapters are trained beside: engines read it and never write. All workers of a
 * process share one.
 *
 * @param config its shape; its vocabulary may be smaller than the trained model's where embedding
 *     and head are trained in full
 * @param parameters [ParameterLayout.length()] of that shape
 */
public record FrozenBase(LlamaConfig config, FloatPointer parameters) {}
