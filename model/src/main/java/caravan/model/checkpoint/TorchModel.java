package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.RopeScaling;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * Models as single files of {@code torch.save}:
 *
 * <ul>
 *   <li>llama2.c's {@code ckpt.pt}: a dict of {@code model} (a state dict, its names after {@code
 *       _orig_mod.} where the model was compiled) and {@code model_args};
 *   <li>Meta's {@code consolidated.00.pth} with {@code params.json} beside it;
 *   <li>Hugging Face's {@code pytorch_model.bin} with {@code config.json} beside it.
 * </ul>
 *
 * <p>The first two have Meta's names and rotary order: see {@link MetaTensors}.
 */
public final class TorchModel {
  private static final String COMPILED = "_orig_mod.";
  private static final String PARAMS = "params.json";
  private static final int LLAMA3_VOCABULARY = 128256;
  private static final int LLAMA3_CONTEXT = 8192;

  private TorchModel() {}

  /** Whether a file is a zip archive, as those of {@code torch.save} are; llama2.c's are not. */
  public static boolean isAt(String path, Configuration hadoop) {
    return TorchFile.isZip(Directory.holding(path, hadoop), new Path(path).getName());
  }

  /**
   * @param path a local path or any Hadoop URI
   * @throws IllegalArgumentException when the file is damaged, none of the three, or names code
   */
  public static Checkpoint read(String path, Configuration hadoop) {
    try (WholeVector whole = new WholeVector()) {
      return whole.model(read(path, hadoop, whole));
    }
  }

  /**
   * Reads a model without keeping its weights.
   *
   * @param weights makes what receives them
   */
  public static CheckpointHead read(
      String path, Configuration hadoop, Function<LlamaConfig, WeightSink> weights) {
    Directory directory = Directory.holding(path, hadoop);
    String name = new Path(path).getName();
    try (TorchFile file = TorchFile.open(directory, name)) {
      if (file.value() instanceof Map<?, ?> map
          && map.containsKey("model")
          && map.containsKey("model_args")) {
        file.useTensors(map.get("model"), COMPILED);
        return llama2c(
            file, new Numbers(file.path() + ": model_args", map.get("model_args")), weights);
      }
      file.useTensors(file.value(), "");
      if (file.shapes().containsKey(MetaTensors.EMBEDDING)) {
        return meta(file, directory, name, weights);
      }
    }
    if (directory.exists("config.json")) {
      return new CheckpointFolder(directory).read(name, weights);
    }
    throw new IllegalArgumentException(
        path
            + ": a state dict alone does not tell the model's shape, wanted config.json beside it,"
            + " Meta's params.json, or llama2.c's ckpt.pt with model_args");
  }

  private static CheckpointHead llama2c(
      TorchFile file, Numbers args, Function<LlamaConfig, WeightSink> weights) {
    MetaTensors tensors = new MetaTensors(file);
    LlamaConfig config =
        tensors.config(
            args,
            args.integer("max_seq_len"),
            Llama2c.ROPE_THETA,
            Llama2c.NORM_EPS,
            RopeScaling.NONE);
    tensors.read(config, weights);
    return CheckpointHead.ofModel(config, Llama2c.SPECIAL_TOKENS, Map.of());
  }

  private static CheckpointHead meta(
      TorchFile file, Directory directory, String name, Function<LlamaConfig, WeightSink> weights) {
    if (!directory.exists(PARAMS)) {
      throw new IllegalArgumentException(
          file.path() + ": Meta's tensor names, but no params.json beside it tells the shape");
    }
    if (!name.equals("consolidated.00.pth") || directory.exists("consolidated.01.pth")) {
      throw new IllegalArgumentException(
          file.path()
              + ": one of several files of a model that was cut for several GPUs, wanted a single"
              + " consolidated.00.pth; convert it to Hugging Face's format first");
    }
    Numbers params = new Numbers(directory.path(PARAMS), json(directory));
    RopeScaling scaling = scaling(params);
    double theta = params.number("rope_theta", 10000);
    double eps = params.number("norm_eps", 1e-5);
    MetaTensors tensors = new MetaTensors(file);
    LlamaConfig config =
        tensors.config(params, context(params, scaling, theta, eps), theta, eps, scaling);
    boolean third = config.vocabSize() == LLAMA3_VOCABULARY;
    SpecialTokens special =
        third
            ? new SpecialTokens(OptionalInt.of(128000), List.of(128001, 128008, 128009))
            : SpecialTokens.of(1, 2);
    String vocabulary = "tokenizer.model";
    boolean sentencePiece = !third && directory.exists(vocabulary);
    Map<String, byte[]> files =
        sentencePiece ? Map.of(vocabulary, directory.bytes(vocabulary)) : Map.of();
    tensors.read(config, weights);
    return CheckpointHead.ofModel(config, special, files);
  }

  /** params.json does not tell it: the numbers of transformers' conversion script, by version. */
  private static int context(Numbers params, RopeScaling scaling, double theta, double eps) {
    if (params.has("max_seq_len")) {
      return params.integer("max_seq_len");
    }
    if (scaling.type() != RopeScaling.Type.NONE) {
      return 16 * LLAMA3_CONTEXT;
    }
    return theta > 10000 ? LLAMA3_CONTEXT : eps == 1e-5 ? 4096 : 2048;
  }

  private static RopeScaling scaling(Numbers params) {
    if (!params.isTrue("use_scaled_rope")) {
      return RopeScaling.NONE;
    }
    if (!params.has("rope_scaling_factor")) {
      throw new IllegalArgumentException(
          params.where()
              + ": use_scaled_rope without rope_scaling_factor; add \"rope_scaling_factor\": 8 for"
              + " Llama 3.1, 32 for Llama 3.2");
    }
    return RopeScaling.llama3(params.number("rope_scaling_factor", 1), 1, 4, LLAMA3_CONTEXT);
  }

  private static Object json(Directory directory) {
    try {
      return new ObjectMapper().readValue(directory.bytes(PARAMS), Object.class);
    } catch (IOException e) {
      throw new IllegalArgumentException(
          directory.path(PARAMS) + " is not JSON: " + e.getMessage(), e);
    }
  }

  /** Numbers by name, of a pickle's dict or a JSON object. */
  record Numbers(String where, Object values) {
    Numbers {
      if (!(values instanceof Map)) {
        throw new IllegalArgumentException(where + ": wanted names with numbers");
      }
    }

    private Object value(String key) {
      Object value = ((Map<?, ?>) values).get(key);
      return value == null ? Pickle.NONE : value;
    }

    boolean has(String key) {
      return value(key) != Pickle.NONE;
    }

    boolean isTrue(String key) {
      return Boolean.TRUE.equals(value(key));
    }

    int integer(String key) {
      Object value = value(key);
      if ((value instanceof Long || value instanceof Integer)
          && ((Number) value).longValue() == ((Number) value).intValue()) {
        return ((Number) value).intValue();
      }
      throw new IllegalArgumentException(
          where + ": " + key + " is " + Pickle.kind(value) + ", wanted a whole number");
    }

    double number(String key, double otherwise) {
      Object value = value(key);
      if (value instanceof Number number) {
        return number.doubleValue();
      }
      if (value == Pickle.NONE) {
        return otherwise;
      }
      throw new IllegalArgumentException(
          where + ": " + key + " is " + Pickle.kind(value) + ", wanted a number");
    }
  }
}
