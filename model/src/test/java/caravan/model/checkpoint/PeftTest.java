package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.Adaptation;
import caravan.model.AdapterLayout;
import caravan.model.Golden;
import caravan.model.LlamaGraph;
import caravan.model.LlamaLayer;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.TokenBatch;
import caravan.model.train.AdamW;
import caravan.model.train.GraphSteps;
import caravan.model.train.Schedule;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.MultiDataSet;
import org.nd4j.linalg.factory.Nd4j;

/** Adapters made by the real peft (model/src/test/python/make_lora_golden.py), and ours. */
class PeftTest {
  private static final Configuration HADOOP = new Configuration();
  private static final String BASE = resource("golden/grouped-untied");

  private static String resource(String name) {
    return Path.of(System.getProperty("caravan.root"), "model/src/test/resources", name).toString();
  }

  private static String golden(String name) {
    return resource("golden-lora/" + name);
  }

  private static float[] values(String name, String tensor) {
    try (SafeTensors file = SafeTensors.open(golden(name) + "/golden.safetensors", HADOOP)) {
      SafeTensors.Entry entry = file.entries().get(tensor);
      assertThat(entry).as(tensor).isNotNull();
      float[] values = new float[(int) entry.length()];
      try (FloatPointer floats = new FloatPointer(entry.length())) {
        file.read(entry, floats, 0);
        floats.get(values);
      }
      return values;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"all-linear", "rslora-saved"})
  void lossAndGradientsEqualPefts(String name) throws IOException {
    double loss =
        new ObjectMapper()
            .readTree(Path.of(golden(name), "golden.json").toFile())
            .get("loss")
            .asDouble();
    try (Golden base = Golden.open("grouped-untied");
        Checkpoint adapter =
            Checkpoints.adapters(golden(name), HADOOP, Optional.of(BASE)).orElseThrow()) {
      AdapterLayout layout =
          new AdapterLayout(adapter.config(), adapter.adaptation().orElseThrow().lora());
      try (CpuEngine engine =
              new CpuEngine(layout, new FrozenBase(base.config(), base.parameters()), 2);
          FloatPointer gradient = new FloatPointer(layout.length())) {
        assertThat(engine.lossAndGradient(adapter.parameters(), gradient, base.batch()))
            .isCloseTo(loss, within(1e-5));
        for (AdapterLayout.Adapter a : layout.adapters()) {
          String path = "gradient.base_model.model." + a.path();
          assertClose(gradient, a.a().offset(), values(name, path + ".lora_A.weight"));
          assertClose(gradient, a.b().offset(), values(name, path + ".lora_B.weight"));
        }
        if (!layout.saved().isEmpty()) {
          assertClose(
              gradient,
              layout.saved().get(layout.model().embedding()).offset(),
              values(name, "gradient.base_model.model.model.embed_tokens.weight"));
          assertClose(
              gradient,
              layout.saved().get(layout.model().finalNorm()).offset(),
              values(name, "gradient.base_model.model.model.norm.weight"));
        }
      }
    }
  }

  /** AdamW at a rate of 0.01 with a decay of 0.1 of matrices, unclipped, as peft's step was. */
  @ParameterizedTest
  @ValueSource(strings = {"all-linear", "rslora-saved"})
  void aStepOfAdamWMovesAdaptersAsPeftsDoes(String name) throws IOException {
    try (Golden base = Golden.open("grouped-untied");
        Checkpoint adapter =
            Checkpoints.adapters(golden(name), HADOOP, Optional.of(BASE)).orElseThrow()) {
      Adaptation adaptation = adapter.adaptation().orElseThrow();
      Schedule rate = new Schedule(Schedule.Kind.CONSTANT, 0.01, 0, 0, 1, 0);
      ComputationGraph graph =
          LlamaGraph.create(
              new LlamaLayer(adapter.config(), "cpu", 1, 0.1).beside(adaptation),
              new AdamW(rate, 0.9, 0.95, 1e-8, 0),
              1);
      FloatPointer trained = new FloatPointer(graph.params().data().addressPointer());
      Pointer.memcpy(trained, adapter.parameters(), graph.numParams() * Float.BYTES);
      LlamaGraph.output(graph).useBase(new FrozenBase(base.config(), base.parameters()));
      TokenBatch batch = base.batch();
      GraphSteps steps = new GraphSteps(graph);
      steps.take(new MultiDataSet(array(batch.ids(), batch), array(batch.targets(), batch)));
      steps.finish();
      AdapterLayout layout = new AdapterLayout(adapter.config(), adaptation.lora());
      for (AdapterLayout.Adapter a : layout.adapters()) {
        String path = "stepped.base_model.model." + a.path();
        assertMoved(trained, adapter, a.a().offset(), values(name, path + ".lora_A.weight"));
        assertMoved(trained, adapter, a.b().offset(), values(name, path + ".lora_B.weight"));
      }
      if (!layout.saved().isEmpty()) {
        assertMoved(
            trained,
            adapter,
            layout.saved().get(layout.model().embedding()).offset(),
            values(name, "stepped.base_model.model.model.embed_tokens.weight"));
        assertMoved(
            trained,
            adapter,
            layout.saved().get(layout.model().finalNorm()).offset(),
            values(name, "stepped.base_model.model.model.norm.weight"));
      }
      LlamaGraph.output(graph).close();
      graph.close();
    }
  }

  private static INDArray array(int[] ids, TokenBatch batch) {
    float[] floats = new float[ids.length];
    for (int i = 0; i < ids.length; i++) {
      floats[i] = ids[i];
    }
    return Nd4j.createFromArray(floats).reshape(batch.batch(), batch.seq());
  }

  /** Within a thousandth of the way that the step went. */
  private static void assertMoved(
      FloatPointer got, Checkpoint before, long offset, float[] wanted) {
    double difference = 0;
    double moved = 0;
    for (int i = 0; i < wanted.length; i++) {
      double d = got.get(offset + i) - (double) wanted[i];
      double way = before.parameters().get(offset + i) - (double) wanted[i];
      difference += d * d;
      moved += way * way;
    }
    assertThat(moved).isPositive();
    assertThat(Math.sqrt(difference / moved)).isLessThan(1e-3);
  }

  /** Relative to the tensor's length. */
  private static void assertClose(FloatPointer flat, long offset, float[] wanted) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < wanted.length; i++) {
      double d = flat.get(offset + i) - (double) wanted[i];
      difference += d * d;
      norm += (double) wanted[i] * wanted[i];
    }
    assertThat(Math.sqrt(difference / norm)).isLessThan(1e-4);
  }

  @ParameterizedTest
  @ValueSource(strings = {"all-linear", "rslora-saved"})
  void mergedAdaptersScoreAsPeftDoes(String name) throws IOException {
    float[] logits = values(name, "logits");
    try (Golden base = Golden.open("grouped-untied");
        Checkpoint merged = Checkpoints.open(golden(name), HADOOP, Optional.of(BASE));
        CpuEngine engine = new CpuEngine(merged.config(), 1);
        LlamaEngine.Decoder decoder = engine.decoder(merged.parameters(), base.batch().seq())) {
      int vocab = merged.config().vocabSize();
      for (int t = 0; t < base.batch().seq(); t++) {
        float[] got = decoder.append(base.batch().ids()[t]);
        for (int id = 0; id < vocab; id++) {
          assertThat(got[id]).isCloseTo(logits[t * vocab + id], within(1e-5f));
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"all-linear", "rslora-saved"})
  void whatWeWriteHasPeftsTensorsBitForBit(String name) {
    Path output = Path.of(System.getProperty("caravan.root"), "model/target/lora", name);
    try (Checkpoint adapter =
            Checkpoints.adapters(golden(name), HADOOP, Optional.of(BASE)).orElseThrow();
        SafeTensors theirs =
            SafeTensors.open(golden(name) + "/adapter_model.safetensors", HADOOP)) {
      Checkpoints.export(output.toString(), HADOOP, adapter);
      try (SafeTensors ours = SafeTensors.open(output + "/adapter_model.safetensors", HADOOP);
          Checkpoint again =
              Checkpoints.adapters(output.toString(), HADOOP, Optional.empty()).orElseThrow()) {
        assertThat(ours.entries().keySet())
            .containsExactlyInAnyOrderElementsOf(theirs.entries().keySet());
        ours.entries()
            .forEach(
                (tensor, entry) ->
                    assertThat(entry.shape()).isEqualTo(theirs.entries().get(tensor).shape()));
        assertThat(again.adaptation()).isEqualTo(adapter.adaptation());
        AdapterLayout layout =
            new AdapterLayout(adapter.config(), adapter.adaptation().orElseThrow().lora());
        assertThat(Floats.equal(again.parameters(), 0, adapter.parameters(), 0, layout.length()))
            .isTrue();
      }
    }
  }

  @Test
  void aMissingBaseAndAnotherAdapterSayWhatIsWrong(@TempDir Path folder) throws IOException {
    assertThatThrownBy(() -> Checkpoints.open(golden("all-linear"), HADOOP))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("the base of the adapters in")
        .hasMessageContaining("does not exist")
        .hasMessageContaining("say where it lies by lora.base");
    assertThatThrownBy(
            () ->
                Checkpoints.open(
                    golden("all-linear"), HADOOP, Optional.of(resource("golden/tied"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "tensor base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")
        .hasMessageContaining("give the base that it was trained beside");
    Path config = folder.resolve("adapter_config.json");
    String text = Files.readString(Path.of(golden("all-linear"), "adapter_config.json"));
    Files.copy(
        Path.of(golden("all-linear"), "adapter_model.safetensors"),
        folder.resolve("adapter_model.safetensors"));
    Files.writeString(config, text.replace("\"use_dora\": false", "\"use_dora\": true"));
    assertRefused(folder, "got use_dora true, which is not read");
    Files.writeString(config, text.replace("\"r\": 3", "\"r\": 0"));
    assertRefused(folder, "lora.rank: got 0, wanted at least 1");
    Files.writeString(config, text.replace("\"r\": 3", "\"r\": 4"));
    assertRefused(folder, "has shape [3, 20], wanted [4, 20] by adapter_config.json");
    Files.writeString(config, text.replace("\"o_proj\",", ""));
    assertRefused(folder, "tensors that adapter_config.json does not speak of");
  }

  private static void assertRefused(Path folder, String message) {
    assertThatThrownBy(() -> Checkpoints.open(folder.toString(), HADOOP, Optional.of(BASE)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }
}
