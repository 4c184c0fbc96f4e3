package caravan.model;

import caravan.model.ParameterLayout.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.api.ParamInitializer;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

/**
 * Cuts Deeplearning4j's flat view into {@link ParameterLayout}'s tensors and draws fresh weights:
 * N(0, 0.02), projections back into the residual stream N(0, 0.02 / √(2 · layers)) (Radford et al.
 * 2019, section 2.3), gains 1. Each tensor has its own random stream, made from the network's seed
 * and its place, so one tensor's shape does not change another's values. Adapters begin as {@link
 * AdapterWeights} says; what is trained in full beside them is a base's.
 */
final class LlamaParameters implements ParamInitializer {
  static final LlamaParameters INSTANCE = new LlamaParameters();

  private static final double DEVIATION = 0.02;

  private static final RandomGeneratorFactory<RandomGenerator> RANDOM =
      RandomGeneratorFactory.of("L64X128MixRandom");

  /** Floats drawn before they are copied into the view. */
  private static final int CHUNK = 1 << 16;

  private LlamaParameters() {}

  private static TensorLayout layout(Layer layer) {
    return ((LlamaLayer) layer).layout();
  }

  @Override
  public long numParams(NeuralNetConfiguration conf) {
    return numParams(conf.getLayer());
  }

  @Override
  public long numParams(Layer layer) {
    return layout(layer).length();
  }

  @Override
  public List<String> paramKeys(Layer layer) {
    return layout(layer).tensors().stream().map(Tensor::name).toList();
  }

  @Override
  public List<String> weightKeys(Layer layer) {
    return paramKeys(layer).stream().filter(key -> isWeightParam(layer, key)).toList();
  }

  @Override
  public List<String> biasKeys(Layer layer) {
    return paramKeys(layer).stream().filter(key -> isBiasParam(layer, key)).toList();
  }

  @Override
  public boolean isWeightParam(Layer layer, String key) {
    return !isBiasParam(layer, key);
  }

  /** The gains stand where Deeplearning4j expects biases. */
  @Override
  public boolean isBiasParam(Layer layer, String key) {
    return key.endsWith("Norm");
  }

  @Override
  public Map<String, INDArray> init(
      NeuralNetConfiguration conf, INDArray view, boolean initialize) {
    TensorLayout layout = layout(conf.getLayer());
    Map<String, INDArray> tensors = views(layout, view);
    if (initialize && layout instanceof AdapterLayout adapters) {
      AdapterWeights.draw(adapters, new FloatPointer(view.data().addressPointer()), conf.getSeed());
    } else if (initialize) {
      for (int place = 0; place < layout.tensors().size(); place++) {
        Tensor tensor = layout.tensors().get(place);
        if (tensor.isNorm()) {
          tensors.get(tensor.name()).assign(1);
        } else {
          draw(view, tensor, deviation(conf, tensor), RANDOM.create(seed(conf, place)));
        }
      }
    }
    tensors.keySet().forEach(conf::addVariable);
    return tensors;
  }

  @Override
  public Map<String, INDArray> getGradientsFromFlattened(
      NeuralNetConfiguration conf, INDArray view) {
    return views(layout(conf.getLayer()), view);
  }

  private static Map<String, INDArray> views(TensorLayout layout, INDArray view) {
    INDArray flat = view.reshape(view.length());
    Map<String, INDArray> tensors = new LinkedHashMap<>();
    for (Tensor tensor : layout.tensors()) {
      INDArray part =
          flat.get(NDArrayIndex.interval(tensor.offset(), tensor.offset() + tensor.length()));
      tensors.put(
          tensor.name(), tensor.isNorm() ? part : part.reshape('c', tensor.rows(), tensor.cols()));
    }
    return tensors;
  }

  private static long seed(NeuralNetConfiguration conf, int place) {
    return conf.getSeed() * 1_000_003L + place;
  }

  private static double deviation(NeuralNetConfiguration conf, Tensor tensor) {
    boolean intoResidual =
        tensor.name().endsWith("AttentionOutput") || tensor.name().endsWith("Down");
    return intoResidual
        ? DEVIATION / Math.sqrt(2.0 * ((LlamaLayer) conf.getLayer()).llama().layerCount())
        : DEVIATION;
  }

  private static void draw(INDArray view, Tensor tensor, double deviation, RandomGenerator random) {
    INDArray flat = view.reshape(view.length());
    for (long start = 0; start < tensor.length(); start += CHUNK) {
      float[] values = new float[(int) Math.min(CHUNK, tensor.length() - start)];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (random.nextGaussian() * deviation);
      }
      long from = tensor.offset() + start;
      flat.get(NDArrayIndex.interval(from, from + values.length))
          .assign(Nd4j.createFromArray(values));
    }
  }
}
