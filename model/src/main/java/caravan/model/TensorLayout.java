package caravan.model;

import caravan.model.ParameterLayout.Tensor;
import java.util.List;

/** Where the tensors of one flat buffer lie: all of a model's, or those that are trained. */
public interface TensorLayout {
  /** All tensors in buffer order. */
  List<Tensor> tensors();

  /** Floats of the buffer. */
  long length();
}
