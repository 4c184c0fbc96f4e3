package caravan.model.engine;

import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import org.bytedeco.javacpp.FloatPointer;

/** A flat buffer (parameters, or their gradient) seen as tensors. */
final class Weights {
  private final ParameterLayout layout;
  private final long address;

  /** Of a gradient: 0 where products overwrite it, 1 where they are added to it. */
  float beta;

  /** Gains of the attention and feed-forward norms, [hidden] each, by layer. */
  private final Buffer[] attentionNorm;

  private final Buffer[] mlpNorm;
  private final Buffer finalNorm;

  Weights(ParameterLayout layout, FloatPointer pointer) {
    this.layout = layout;
    this.address = addressOf(pointer);
    int layers = layout.config().layerCount();
    attentionNorm = new Buffer[layers];
    mlpNorm = new Buffer[layers];
    for (int l = 0; l < layers; l++) {
      attentionNorm[l] = view(layout.block(l).attentionNorm());
      mlpNorm[l] = view(layout.block(l).mlpNorm());
    }
    finalNorm = view(layout.finalNorm());
  }

  /** The first float of a pointer: JavaCPP keeps the position beside the address. */
  static long addressOf(FloatPointer pointer) {
    return pointer.address() + pointer.position() * Float.BYTES;
  }

  private Buffer view(Tensor tensor) {
    return Buffer.view(address(tensor), tensor.length());
  }

  ParameterLayout layout() {
    return layout;
  }

  boolean isAt(FloatPointer pointer) {
    return addressOf(pointer) == address;
  }

  long address(Tensor tensor) {
    return address + tensor.offset() * Float.BYTES;
  }

  /** Address of one row of a matrix. */
  long row(Tensor tensor, long row) {
    return address(tensor) + row * tensor.cols() * Float.BYTES;
  }

  Buffer attentionNorm(int layer) {
    return attentionNorm[layer];
  }

  Buffer mlpNorm(int layer) {
    return mlpNorm[layer];
  }

  Buffer finalNorm() {
    return finalNorm;
  }
}
