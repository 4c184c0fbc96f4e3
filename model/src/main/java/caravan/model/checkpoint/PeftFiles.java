package caravan.model.checkpoint;

import caravan.model.Adaptation;
import caravan.model.AdapterLayout;
import caravan.model.AdapterLayout.Adapter;
import caravan.model.LlamaConfig;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout.Tensor;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Adapters as Hugging Face's PEFT keeps them: {@code adapter_config.json} and {@code
 * adapter_model.safetensors}, whose tensors have the projection's path with lora_A and lora_B, and
 * those of modules trained in full theirs.
 */
final class PeftFiles {
  static final String CONFIG = "adapter_config.json";
  static final String WEIGHTS = "adapter_model.safetensors";
  private static final String PREFIX = "base_model.model.";
  private static final String EMBEDDING = PREFIX + "model.embed_tokens.weight";
  private static final String HEAD = PREFIX + "lm_head.weight";
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Settings of PEFT that change what an adapter computes and that are not read here. */
  private static final List<String> UNREAD =
      List.of(
          "use_dora",
          "use_qalora",
          "use_bdlora",
          "kasa_config",
          "velora_config",
          "monteclora_config",
          "lora_bias",
          "fan_in_fan_out",
          "rank_pattern",
          "alpha_pattern",
          "layers_to_transform",
          "layer_replication",
          "exclude_modules",
          "target_parameters",
          "trainable_token_indices",
          "alora_invocation_tokens",
          "arrow_config");

  private PeftFiles() {}

  /** A slice of the trained vector under its name in the file. */
  private record Slice(String name, long offset, List<Long> shape) {}

  private static List<Slice> slices(AdapterLayout layout) {
    List<Slice> slices = new ArrayList<>();
    Map<Long, String> names = new LinkedHashMap<>();
    HuggingFaceWeights.slices(layout.model()).forEach(s -> names.put(s.offset(), s.name()));
    layout
        .saved()
        .forEach(
            (model, own) -> {
              List<Long> shape =
                  own.isNorm()
                      ? List.of((long) own.cols())
                      : List.of((long) own.rows(), (long) own.cols());
              slices.add(new Slice(PREFIX + names.get(model.offset()), own.offset(), shape));
            });
    for (Adapter adapter : layout.adapters()) {
      slices.add(slice(adapter.path() + ".lora_A.weight", adapter.a()));
      slices.add(slice(adapter.path() + ".lora_B.weight", adapter.b()));
    }
    return slices;
  }

  private static Slice slice(String name, Tensor tensor) {
    return new Slice(
        PREFIX + name, tensor.offset(), List.of((long) tensor.rows(), (long) tensor.cols()));
  }

  /** Whether the head is the embedding, trained in full: PEFT unties them, so both are written. */
  private static boolean repeatsHead(AdapterLayout layout) {
    return layout.config().tiedEmbeddings()
        && layout.saved().containsKey(layout.model().embedding());
  }

  static Directory.Fingerprint writeConfig(
      Directory directory, LlamaConfig model, Adaptation adaptation) {
    return directory.write(CONFIG, config(new AdapterLayout(model, adaptation.lora()), adaptation));
  }

  /**
   * @param trained in the layout's order
   */
  static Directory.Fingerprint writeWeights(
      Directory directory, AdapterLayout layout, FloatSource trained) {
    List<SafeTensors.Source> sources = new ArrayList<>();
    for (Slice slice : slices(layout)) {
      sources.add(new SafeTensors.Source(slice.name(), slice.shape(), trained, slice.offset()));
      if (slice.name().equals(EMBEDDING) && repeatsHead(layout)) {
        sources.add(new SafeTensors.Source(HEAD, slice.shape(), trained, slice.offset()));
      }
    }
    return directory.write(WEIGHTS, out -> SafeTensors.write(out, Map.of("format", "pt"), sources));
  }

  private static byte[] config(AdapterLayout layout, Adaptation adaptation) {
    LoraConfig lora = adaptation.lora();
    ObjectNode json = JSON.createObjectNode();
    json.put("peft_type", "LORA");
    json.put("task_type", "CAUSAL_LM");
    json.put("base_model_name_or_path", adaptation.base());
    json.put("r", lora.rank());
    if (lora.alpha() == Math.rint(lora.alpha())) {
      json.put("lora_alpha", (long) lora.alpha());
    } else {
      json.put("lora_alpha", lora.alpha());
    }
    json.put("lora_dropout", lora.dropout());
    json.put("use_rslora", lora.rslora());
    json.put("bias", "none");
    json.put("fan_in_fan_out", false);
    json.put("init_lora_weights", true);
    json.put("inference_mode", true);
    ArrayNode targets = json.putArray("target_modules");
    lora.targetModules().forEach(targets::add);
    if (lora.modulesToSave().isEmpty()) {
      json.putNull("modules_to_save");
    } else {
      ArrayNode saved = json.putArray("modules_to_save");
      lora.modulesToSave().forEach(saved::add);
      if (repeatsHead(layout) && !lora.modulesToSave().contains("lm_head")) {
        saved.add("lm_head");
      }
    }
    try {
      return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(json);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * What an adapter_config.json says.
   *
   * @throws IllegalArgumentException when it is of another kind of adapter
   */
  static Adaptation adaptation(Directory directory) {
    String where = directory.path(CONFIG);
    JsonNode json;
    try {
      json = JSON.readTree(directory.bytes(CONFIG));
    } catch (IOException e) {
      throw new IllegalArgumentException(where + " is not JSON: " + e.getMessage(), e);
    }
    if (!json.path("peft_type").asText().equals("LORA")) {
      throw new IllegalArgumentException(
          where + ": got peft_type " + json.path("peft_type") + ", wanted \"LORA\"");
    }
    for (String name : UNREAD) {
      if (!isNeutral(json.path(name))) {
        throw new IllegalArgumentException(
            where
                + ": got "
                + name
                + " "
                + json.path(name)
                + ", which is not read; merge the adapter with PEFT and import the merged model");
      }
    }
    if (!json.path("bias").asText("none").equals("none")) {
      throw new IllegalArgumentException(
          where + ": got bias " + json.path("bias") + ", wanted \"none\": a Llama has no biases");
    }
    try {
      LoraConfig lora =
          new LoraConfig(
              json.path("r").asInt(),
              json.path("lora_alpha").asDouble(),
              json.path("lora_dropout").asDouble(),
              targets(json.path("target_modules")),
              json.path("use_rslora").asBoolean(),
              names(json.path("modules_to_save")));
      return new Adaptation(lora, json.path("base_model_name_or_path").asText(""));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(where + ": " + e.getMessage(), e);
    }
  }

  private static boolean isNeutral(JsonNode value) {
    return value.isMissingNode()
        || value.isNull()
        || value.isBoolean() && !value.asBoolean()
        || value.isContainerNode() && value.isEmpty();
  }

  private static List<String> targets(JsonNode value) {
    return value.asText().equals("all-linear") ? LoraConfig.PROJECTIONS : names(value);
  }

  private static List<String> names(JsonNode value) {
    if (value.isTextual()) {
      throw new IllegalArgumentException(
          "got the pattern " + value + ", wanted a list of module names");
    }
    List<String> names = new ArrayList<>();
    value.forEach(name -> names.add(name.asText()));
    return names;
  }

  /** The base's shape with as many ids as the file has embeddings for. */
  static LlamaConfig model(Directory directory, LlamaConfig base) {
    try (SafeTensors file = SafeTensors.open(directory, WEIGHTS)) {
      SafeTensors.Entry rows = file.entries().get(EMBEDDING);
      return rows == null || rows.shape().isEmpty()
          ? base
          : base.withVocabSize(Math.toIntExact(rows.shape().get(0)));
    }
  }

  /**
   * Reads the trained vector.
   *
   * @throws IllegalArgumentException when a tensor is missing, superfluous or of another shape
   */
  static FloatPointer read(Directory directory, AdapterLayout layout) {
    FloatPointer trained = new FloatPointer(layout.length());
    try {
      read(directory, layout, trained);
      return trained;
    } catch (RuntimeException e) {
      trained.close();
      throw e;
    }
  }

  /** Reads it into memory that is there. */
  static void read(Directory directory, AdapterLayout layout, FloatPointer trained) {
    try (SafeTensors file = SafeTensors.open(directory, WEIGHTS)) {
      var unexpected = new TreeSet<>(file.entries().keySet());
      for (Slice slice : slices(layout)) {
        requireShape(file, slice);
        unexpected.remove(slice.name());
        file.read(slice.name(), WeightSink.into(trained), slice.offset());
        if (slice.name().equals(EMBEDDING)
            && repeatsHead(layout)
            && file.entries().containsKey(HEAD)) {
          unexpected.remove(HEAD);
          requireTwin(file, slice, trained);
        }
      }
      if (!unexpected.isEmpty()) {
        throw new IllegalArgumentException(
            "%s: %d tensors that adapter_config.json does not speak of, the first is %s; wanted lora_A and lora_B of %s and the modules %s"
                .formatted(
                    file.path(),
                    unexpected.size(),
                    unexpected.first(),
                    layout.lora().targetModules(),
                    layout.lora().modulesToSave()));
      }
    }
  }

  private static void requireShape(SafeTensors file, Slice slice) {
    SafeTensors.Entry entry = file.entries().get(slice.name());
    if (entry == null || !entry.shape().equals(slice.shape())) {
      throw new IllegalArgumentException(
          "%s: tensor %s %s, wanted %s by adapter_config.json and the base; give the base that it was trained beside"
              .formatted(
                  file.path(),
                  slice.name(),
                  entry == null ? "is missing" : "has shape " + entry.shape(),
                  slice.shape()));
    }
  }

  private static void requireTwin(SafeTensors file, Slice embedding, FloatPointer trained) {
    SafeTensors.Entry entry = file.entries().get(HEAD);
    try (FloatPointer head = new FloatPointer(entry.length())) {
      file.read(entry, head, 0);
      boolean equal =
          entry.shape().equals(embedding.shape())
              && Floats.equal(head, 0, trained, embedding.offset(), entry.length());
      if (!equal) {
        throw new IllegalArgumentException(
            "%s: %s differs from %s, but the base has tie_word_embeddings true; wanted one matrix: merge the adapter with PEFT and import the merged model with tie_word_embeddings false"
                .formatted(file.path(), HEAD, EMBEDDING));
      }
    }
  }
}
