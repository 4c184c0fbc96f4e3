package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.RopeScaling;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HuggingFaceTest {
  private final Configuration hadoop = new Configuration();
  @TempDir Path folder;

  @Test
  void theSlicesCoverTheBufferOnceAndInOrder() {
    for (LlamaConfig config : List.of(TinyLlama.TIED, TinyLlama.UNTIED)) {
      ParameterLayout layout = new ParameterLayout(config);
      long next = 0;
      for (HuggingFaceWeights.Slice slice : HuggingFaceWeights.slices(layout)) {
        assertThat(slice.offset()).as(slice.name()).isEqualTo(next);
        next += slice.length();
      }
      assertThat(next).isEqualTo(layout.length());
    }
  }

  @Test
  void tensorsCarryHuggingFacesNamesAndShapes() {
    List<HuggingFaceWeights.Slice> slices =
        HuggingFaceWeights.slices(new ParameterLayout(TinyLlama.TIED));
    assertThat(slices)
        .extracting(s -> s.name() + s.shape())
        .startsWith(
            "model.embed_tokens.weight[17, 12]",
            "model.layers.0.input_layernorm.weight[12]",
            "model.layers.0.self_attn.q_proj.weight[24, 12]",
            "model.layers.0.self_attn.k_proj.weight[12, 12]",
            "model.layers.0.self_attn.v_proj.weight[12, 12]",
            "model.layers.0.self_attn.o_proj.weight[12, 24]",
            "model.layers.0.post_attention_layernorm.weight[12]",
            "model.layers.0.mlp.gate_proj.weight[20, 12]",
            "model.layers.0.mlp.up_proj.weight[20, 12]",
            "model.layers.0.mlp.down_proj.weight[12, 20]")
        .endsWith("model.norm.weight[12]")
        .hasSize(1 + 2 * 9 + 1);
    assertThat(HuggingFaceWeights.slices(new ParameterLayout(TinyLlama.UNTIED)))
        .extracting(HuggingFaceWeights.Slice::name)
        .endsWith("lm_head.weight");
  }

  @Test
  void theDataOfAWrittenFileIsTheBufferItself() throws IOException {
    export(TinyLlama.UNTIED);
    byte[] file = Files.readAllBytes(folder.resolve("model.safetensors"));
    long length = new ParameterLayout(TinyLlama.UNTIED).length();
    int start = (int) (file.length - 4 * length);
    var floats =
        java.nio.ByteBuffer.wrap(file, start, (int) (4 * length))
            .order(java.nio.ByteOrder.LITTLE_ENDIAN)
            .asFloatBuffer();
    try (FloatPointer parameters = TinyLlama.random(TinyLlama.UNTIED, 1)) {
      for (int i = 0; i < length; i++) {
        assertThat(floats.get(i)).isEqualTo(parameters.get(i));
      }
    }
  }

  @Test
  void aFileWrittenHereIsMappedAndNeitherChangesWithTheModelNorTheOtherWayRound()
      throws IOException {
    export(TinyLlama.UNTIED);
    byte[] file = Files.readAllBytes(folder.resolve("model.safetensors"));
    try (Checkpoint read = Checkpoints.open(folder.toString(), hadoop);
        FloatPointer expected = TinyLlama.random(TinyLlama.UNTIED, 1)) {
      assertThat(read.parameters()).isInstanceOf(MappedFloats.class);
      long length = new ParameterLayout(TinyLlama.UNTIED).length();
      assertThat(Floats.equal(read.parameters(), 0, expected, 0, length)).isTrue();
      read.parameters().put(0, 17);
      assertThat(folder.resolve("model.safetensors")).hasBinaryContent(file);
      Checkpoints.export(folder.toString(), hadoop, read);
      assertThat(read.parameters().get(0)).isEqualTo(17);
      assertThat(Floats.equal(read.parameters(), 1, expected, 1, length - 1)).isTrue();
    }
    try (Checkpoint again = Checkpoints.open(folder.toString(), hadoop)) {
      assertThat(again.parameters().get(0)).isEqualTo(17);
    }
  }

  @Test
  void aModelSplitOverSeveralFilesIsReadByItsIndex() throws IOException {
    LlamaConfig config = TinyLlama.UNTIED;
    export(config);
    Files.delete(folder.resolve("model.safetensors"));
    List<SafeTensors.Source> sources = sources(config);
    write("part-1.safetensors", sources.subList(0, 7));
    write("part-2.safetensors", sources.subList(7, sources.size()));
    var index = new StringBuilder("{\"weight_map\":{");
    for (int i = 0; i < sources.size(); i++) {
      index.append(i == 0 ? "" : ",").append('"').append(sources.get(i).name());
      index.append("\":\"part-").append(i < 7 ? 1 : 2).append(".safetensors\"");
    }
    Files.writeString(folder.resolve("model.safetensors.index.json"), index.append("}}"));
    try (Checkpoint opened = Checkpoints.open(folder.toString(), hadoop);
        FloatPointer wanted = TinyLlama.random(config, 1)) {
      assertThat(TinyLlama.floats(opened.parameters(), config))
          .isEqualTo(TinyLlama.floats(wanted, config));
    }
    Files.delete(folder.resolve("part-2.safetensors"));
    assertThatThrownBy(() -> Checkpoints.open(folder.toString(), hadoop))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "model.safetensors.index.json: names 2 files, of which part-2.safetensors is not there;"
                + " copy or download it, too");
  }

  /** Which would otherwise take all memory before a tensor is missed. */
  @Test
  void aNumberOfLayersThatNoModelHasIsRefused() throws IOException {
    export(TinyLlama.UNTIED);
    Path config = folder.resolve("config.json");
    Files.writeString(
        config,
        Files.readString(config).replaceFirst("(\"num_hidden_layers\" *: *)2", "$12000000000"));
    assertThatThrownBy(() -> Checkpoints.open(folder.toString(), hadoop))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "config.json: model.num-hidden-layers: got 2000000000, wanted at most 10000");
  }

  @Test
  void aMissingAnUnexpectedAndAMisshapenTensorAreNamed() throws IOException {
    LlamaConfig config = TinyLlama.UNTIED;
    export(config);
    List<SafeTensors.Source> sources = sources(config);

    write("model.safetensors", sources.subList(0, sources.size() - 1));
    refused("tensor lm_head.weight is missing, wanted shape [17, 12]");

    var extra = new ArrayList<>(sources);
    extra.add(
        new SafeTensors.Source(
            "model.layers.0.self_attn.q_proj.bias", List.of(12L), sources.get(0).data(), 0));
    write("model.safetensors", extra);
    refused(
        "1 unexpected tensors, the first is model.layers.0.self_attn.q_proj.bias of shape [12];"
            + " wanted only the Llama tensors of config.json (2 layers, tie_word_embeddings"
            + " false)");

    var misshapen = new ArrayList<>(sources);
    misshapen.set(
        0,
        new SafeTensors.Source(sources.get(0).name(), List.of(16L, 12L), sources.get(0).data(), 0));
    write("model.safetensors", misshapen);
    refused("tensor model.embed_tokens.weight has shape [16, 12], wanted [17, 12] by config.json");
  }

  @Test
  void aTiedModelMayRepeatItsHeadButNotContradictIt() throws IOException {
    LlamaConfig config = TinyLlama.TIED;
    export(config);
    var sources = new ArrayList<>(sources(config));
    SafeTensors.Source embedding = sources.get(0);
    sources.add(
        new SafeTensors.Source(
            "model.layers.0.self_attn.rotary_emb.inv_freq", List.of(3L), embedding.data(), 0));
    sources.add(new SafeTensors.Source("lm_head.weight", embedding.shape(), embedding.data(), 0));
    write("model.safetensors", sources);
    Checkpoints.open(folder.toString(), hadoop).close();

    sources.set(
        sources.size() - 1,
        new SafeTensors.Source("lm_head.weight", embedding.shape(), embedding.data(), 1));
    write("model.safetensors", sources);
    refused("lm_head.weight differs from model.embed_tokens.weight");
  }

  @Test
  void configJsonRoundTrips() {
    for (LlamaConfig config : List.of(TinyLlama.TIED, TinyLlama.UNTIED)) {
      byte[] json = HuggingFaceConfig.configJson(config, SpecialTokens.none());
      assertThat(HuggingFaceConfig.config(json, "config.json")).isEqualTo(config);
      assertThat(HuggingFaceConfig.specialTokens(json, "config.json"))
          .isEqualTo(SpecialTokens.none());
    }
    SpecialTokens several =
        new SpecialTokens(java.util.OptionalInt.of(128000), List.of(128001, 128009));
    byte[] json = HuggingFaceConfig.configJson(TinyLlama.TIED, several);
    assertThat(HuggingFaceConfig.specialTokens(json, "config.json")).isEqualTo(several);
  }

  @Test
  void absentKeysTakeTransformersDefaultsAndBothRopeSpellingsAreRead() {
    String base =
        "\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":128,"
            + "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"vocab_size\":100";
    assertThat(config("{" + base + "}"))
        .isEqualTo(new LlamaConfig(64, 128, 2, 4, 4, 16, 100, 2048, 10000, 1e-6, false));
    assertThat(config("{" + base + ",\"rope_theta\":100000.0,\"rope_scaling\":null}").ropeTheta())
        .isEqualTo(100000);
    assertThat(
            config(
                    "{"
                        + base
                        + ",\"rope_parameters\":{\"rope_theta\":500000.0,\"rope_type\":\"default\"}}")
                .ropeTheta())
        .isEqualTo(500000);
  }

  @Test
  void otherArchitecturesAreRefusedByTheirFirstForeignKey() {
    refusedConfig("{\"model_type\":\"qwen2\"}", "model_type is \"qwen2\", wanted llama");
    refusedConfig("{\"hidden_act\":\"gelu\"}", "hidden_act is \"gelu\", wanted silu");
    refusedConfig("{\"attention_bias\":true}", "attention_bias is true, wanted false");
    refusedConfig("{\"mlp_bias\":true}", "mlp_bias is true, wanted false");
    refusedConfig("{\"quantization_config\":{\"bits\":4}}", "the weights are quantized");
    refusedConfig("{\"model_type\":\"llama\"}", "hidden_size is missing, wanted a whole number");
    refusedConfig("{\"hidden_size\":\"big\"}", "hidden_size is \"big\", wanted a whole number");
    refusedConfig("[1]", "wanted a JSON object");
    refusedConfig("{", "config.json is not JSON");
    refusedConfig(
        "{\"hidden_size\":64,\"intermediate_size\":128,\"num_hidden_layers\":2,"
            + "\"num_attention_heads\":4,\"num_key_value_heads\":3,\"vocab_size\":100}",
        "config.json: model.num-key-value-heads: got 3");
  }

  @Test
  void everyRopeScalingComesBackAsItWasWritten() {
    for (LlamaConfig config :
        List.of(
            TinyLlama.TIED.withContext(64, RopeScaling.linear(4)),
            TinyLlama.TIED.withContext(96, RopeScaling.dynamic(3, 32)),
            TinyLlama.TIED.withContext(128, RopeScaling.llama3(8, 1, 4, 16)))) {
      byte[] json = HuggingFaceConfig.configJson(config, SpecialTokens.none());
      assertThat(HuggingFaceConfig.config(json, "config.json")).isEqualTo(config);
    }
  }

  @Test
  void ropeScalingIsReadInBothSpellingsAndRefusedByNameWhereItIsForeign() {
    assertThat(config(shape("\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.0}")).ropeScaling())
        .isEqualTo(RopeScaling.linear(2));
    assertThat(
            config(
                    shape(
                        "\"rope_parameters\":{\"rope_theta\":5e5,\"rope_type\":\"llama3\",\"factor\":8.0,"
                            + "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
                            + "\"original_max_position_embeddings\":8192}"))
                .ropeScaling())
        .isEqualTo(RopeScaling.llama3(8, 1, 4, 8192));
    assertThat(
            config(shape("\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0}")).contextLength())
        .isEqualTo(4096);
    refusedConfig(
        shape("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0}"),
        "wanted a number as low_freq_factor");
    refusedConfig(
        shape("\"rope_parameters\":{\"rope_type\":\"yarn\",\"rope_theta\":1e4}"),
        "wanted rope_type default, linear, dynamic or llama3");
    refusedConfig(
        shape("\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":0.5}"),
        "model.rope-scaling.factor: got 0.5, wanted at least 1");
  }

  private static String shape(String more) {
    return "{\"hidden_size\":64,\"intermediate_size\":128,\"num_hidden_layers\":2,"
        + "\"num_attention_heads\":4,\"vocab_size\":100,"
        + more
        + "}";
  }

  private static LlamaConfig config(String json) {
    return HuggingFaceConfig.config(json.getBytes(StandardCharsets.UTF_8), "config.json");
  }

  private static void refusedConfig(String json, String message) {
    assertThatThrownBy(() -> config(json))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("config.json")
        .hasMessageContaining(message);
  }

  private void refused(String message) {
    assertThatThrownBy(() -> Checkpoints.open(folder.toString(), hadoop))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("model.safetensors: ")
        .hasMessageContaining(message);
  }

  private void export(LlamaConfig config) {
    try (Checkpoint checkpoint = TinyLlama.checkpoint(config, 1)) {
      Checkpoints.export(folder.toString(), hadoop, checkpoint);
    }
  }

  private static List<SafeTensors.Source> sources(LlamaConfig config) {
    FloatPointer parameters = TinyLlama.random(config, 1);
    return HuggingFaceWeights.slices(new ParameterLayout(config)).stream()
        .map(s -> new SafeTensors.Source(s.name(), s.shape(), parameters, s.offset()))
        .toList();
  }

  private void write(String name, List<SafeTensors.Source> sources) throws IOException {
    try (OutputStream out = Files.newOutputStream(folder.resolve(name))) {
      SafeTensors.write(out, Map.of("format", "pt"), sources);
    }
  }
}
