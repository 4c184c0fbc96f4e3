package caravan.model;

import caravan.model.AdapterLayout.Adapter;
import caravan.model.ParameterLayout.Tensor;
import java.util.HashMap;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.bytedeco.javacpp.FloatPointer;

/** Values of an adapter's trained vector: as training begins, and merged into a base. */
public final class AdapterWeights {
  private static final RandomGeneratorFactory<RandomGenerator> RANDOM =
      RandomGeneratorFactory.of("L64X128MixRandom");

  private AdapterWeights() {}

  /**
   * What training begins with: A uniform within ±1/√in (PEFT's Kaiming bound for a = √5), B zero,
   * and the base's values of what is trained in full.
   *
   * @param base parameters of the layout's whole model
   * @return [layout.length()]
   */
  public static FloatPointer start(AdapterLayout layout, FloatPointer base, long seed) {
    FloatPointer flat = new FloatPointer(layout.length());
    layout.saved().forEach((model, own) -> copy(base, model.offset(), flat, own));
    draw(layout, flat, seed);
    return flat;
  }

  /** Draws every A and clears every B. */
  static void draw(AdapterLayout layout, FloatPointer flat, long seed) {
    for (Adapter adapter : layout.adapters()) {
      RandomGenerator random = RANDOM.create(seed * 1_000_003L + adapter.a().offset());
      double bound = 1 / Math.sqrt(adapter.a().cols());
      for (long i = 0; i < adapter.a().length(); i++) {
        flat.put(adapter.a().offset() + i, (float) (bound * (2 * random.nextDouble() - 1)));
      }
      for (long i = 0; i < adapter.b().length(); i++) {
        flat.put(adapter.b().offset() + i, 0f);
      }
    }
  }

  /**
   * The whole model with W + scale · B A for every adapted projection.
   *
   * @param shape of the base, which may have fewer ids than the layout's model
   * @param base its parameters
   * @param trained [layout.length()]
   * @return [layout.model().length()]
   */
  public static FloatPointer merged(
      AdapterLayout layout, LlamaConfig shape, FloatPointer base, FloatPointer trained) {
    layout.requireBase(shape);
    Map<String, Tensor> frozen = new HashMap<>();
    new ParameterLayout(shape).tensors().forEach(t -> frozen.put(t.name(), t));
    FloatPointer all = new FloatPointer(layout.model().length());
    Map<Tensor, Tensor> saved = layout.saved();
    for (Tensor tensor : layout.model().tensors()) {
      Tensor own = saved.get(tensor);
      if (own != null) {
        copy(trained, own.offset(), all, tensor);
      } else {
        copy(base, frozen.get(tensor.name()).offset(), all, tensor);
        layout
            .group(tensor)
            .ifPresent(
                group ->
                    group.adapters().forEach(a -> add(layout.lora(), a, tensor, trained, all)));
      }
    }
    return all;
  }

  private static void add(
      LoraConfig lora, Adapter adapter, Tensor matrix, FloatPointer trained, FloatPointer all) {
    int in = matrix.cols();
    float[] a = floats(trained, adapter.a().offset(), (int) adapter.a().length());
    float[] b = floats(trained, adapter.b().offset(), (int) adapter.b().length());
    for (int row = 0; row < adapter.out(); row++) {
      long at = matrix.offset() + (long) (adapter.firstRow() + row) * in;
      float[] w = floats(all, at, in);
      for (int k = 0; k < lora.rank(); k++) {
        float factor = lora.scale() * b[row * lora.rank() + k];
        for (int j = 0; j < in; j++) {
          w[j] += factor * a[k * in + j];
        }
      }
      FloatPointer target = all.getPointer(at);
      target.put(w);
    }
  }

  private static float[] floats(FloatPointer from, long offset, int count) {
    float[] values = new float[count];
    FloatPointer source = from.getPointer(offset);
    source.get(values);
    return values;
  }

  private static void copy(FloatPointer from, long offset, FloatPointer to, Tensor tensor) {
    float[] chunk = new float[(int) Math.min(1 << 18, tensor.length())];
    for (long done = 0; done < tensor.length(); done += chunk.length) {
      int n = (int) Math.min(chunk.length, tensor.length() - done);
      FloatPointer source = from.getPointer(offset + done);
      source.get(chunk, 0, n);
      FloatPointer target = to.getPointer(tensor.offset() + done);
      target.put(chunk, 0, n);
    }
  }
}
