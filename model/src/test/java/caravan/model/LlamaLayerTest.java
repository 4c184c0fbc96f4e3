package caravan.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.engine.TokenBatch;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.conf.graph.LayerVertex;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.updater.graph.ComputationGraphUpdater;
import org.deeplearning4j.util.ModelSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.learning.regularization.WeightDecay;

class LlamaLayerTest {
  private static final LlamaConfig TINY =
      new LlamaConfig(24, 40, 2, 4, 2, 8, 33, 16, 10_000, 1e-5, true);

  /** Random ids; the target of each is the next, and nothing for the last. */
  private static DataSet sequences(int batch, int seq, long seed) {
    Random random = new Random(seed);
    float[][] ids = new float[batch][seq];
    float[][] targets = new float[batch][seq];
    for (int b = 0; b < batch; b++) {
      for (int t = 0; t < seq; t++) {
        ids[b][t] = random.nextInt(TINY.vocabSize());
      }
      for (int t = 0; t < seq; t++) {
        targets[b][t] = t + 1 < seq ? ids[b][t + 1] : TokenBatch.IGNORED;
      }
    }
    return new DataSet(Nd4j.createFromArray(ids), Nd4j.createFromArray(targets));
  }

  private static ComputationGraph graph(long seed) {
    return LlamaGraph.create(TINY, new Adam(1e-2), seed, "cpu", 2);
  }

  @ParameterizedTest(name = "engine {0}")
  @ValueSource(strings = {"cpu", "nd4j"})
  void overfits_one_batch_with_plain_adam(String engine) {
    ComputationGraph graph = LlamaGraph.create(TINY, new Adam(1e-2), 1, engine, 2);
    DataSet batch = sequences(2, 12, 5);
    graph.fit(batch);
    assertThat(graph.score()).isCloseTo(Math.log(TINY.vocabSize()), within(0.2));
    for (int step = 0; step < 60; step++) {
      graph.fit(batch);
    }
    assertThat(graph.score(batch)).isLessThan(0.05);
    LlamaGraph.output(graph).close();
  }

  @Test
  void both_engines_take_the_same_steps() {
    DataSet batch = sequences(3, 10, 6);
    ComputationGraph cpu = LlamaGraph.create(TINY, new Sgd(0.5), 2, "cpu", 2);
    ComputationGraph nd4j = LlamaGraph.create(TINY, new Sgd(0.5), 2, "nd4j", 1);
    for (int step = 0; step < 5; step++) {
      cpu.fit(batch);
      nd4j.fit(batch);
      assertThat(cpu.score()).isCloseTo(nd4j.score(), within(2e-5));
    }
    assertThat(cpu.params().distance2(nd4j.params())).isLessThan(1e-4);
  }

  @Test
  void a_step_of_gradient_descent_is_not_divided_by_the_batch() {
    DataSet batch = sequences(4, 8, 7);
    ComputationGraph graph = LlamaGraph.create(TINY, new Sgd(1.0), 3, "cpu", 1);
    INDArray before = graph.params().dup();
    graph.fit(batch);
    INDArray moved = before.sub(graph.params());
    // The gradient at the old parameters, by the engine itself.
    ComputationGraph same = LlamaGraph.create(TINY, new Sgd(1.0), 3, "cpu", 1);
    same.setInput(0, batch.getFeatures());
    same.setLabel(0, batch.getLabels());
    same.computeGradientAndScore();
    assertThat(moved.distance2(same.gradient().gradient())).isLessThan(1e-6);
  }

  @Test
  void score_is_the_mean_cross_entropy_over_targets_however_it_is_asked_for() {
    DataSet batch = sequences(3, 9, 8);
    ComputationGraph graph = graph(4);
    double whole = graph.score(batch);
    assertThat(graph.score(batch, true)).isEqualTo(whole);
    // All three sequences have 8 targets, so the mean of their means is the whole's mean.
    assertThat(graph.scoreExamples(batch, false).meanNumber().doubleValue())
        .isCloseTo(whole, within(1e-6));
    graph.fit(batch);
    assertThat(graph.score()).isCloseTo(whole, within(1e-6));
    assertThat(graph.score(batch)).isLessThan(whole);
  }

  @Test
  void all_parameters_are_one_updater_block() {
    ComputationGraph graph = graph(5);
    ComputationGraphUpdater updater = graph.getUpdater();
    assertThat(updater.getUpdaterBlocks()).hasSize(1);
    long length = new ParameterLayout(TINY).length();
    assertThat(updater.getUpdaterBlocks().get(0).getGradientView().length()).isEqualTo(length);
    assertThat(updater.getStateViewArray().length()).isEqualTo(2 * length);
    assertThat(graph.params().length()).isEqualTo(length);
  }

  @Test
  void named_parameters_are_views_of_the_layout() {
    ComputationGraph graph = graph(6);
    ParameterLayout layout = new ParameterLayout(TINY);
    for (ParameterLayout.Tensor tensor : layout.tensors()) {
      INDArray view = graph.getParam(LlamaGraph.LAYER + "_" + tensor.name());
      assertThat(view.length()).as(tensor.name()).isEqualTo(tensor.length());
      view.reshape(view.length()).putScalar(tensor.length() - 1, 7.5);
      assertThat(graph.params().getDouble(tensor.offset() + tensor.length() - 1)).isEqualTo(7.5);
    }
  }

  @Test
  void fresh_weights_have_the_published_spread_and_follow_the_seed() {
    LlamaConfig config = new LlamaConfig(64, 128, 8, 4, 4, 16, 500, 16, 10_000, 1e-5, false);
    ComputationGraph graph = LlamaGraph.create(config, new Sgd(1), 7, "cpu", 1);
    assertThat(deviation(graph, "embedding")).isCloseTo(0.02, within(0.0005));
    assertThat(deviation(graph, "head")).isCloseTo(0.02, within(0.0005));
    assertThat(deviation(graph, "block3Qkv")).isCloseTo(0.02, within(0.0008));
    // 0.02 / √(2 · 8)
    assertThat(deviation(graph, "block3AttentionOutput")).isCloseTo(0.005, within(0.0003));
    assertThat(deviation(graph, "block7Down")).isCloseTo(0.005, within(0.0003));
    assertThat(graph.getParam("llama_finalNorm").minNumber().floatValue()).isEqualTo(1f);
    assertThat(graph.getParam("llama_block0MlpNorm").maxNumber().floatValue()).isEqualTo(1f);
    assertThat(LlamaGraph.create(config, new Sgd(1), 7, "nd4j", 1).params())
        .isEqualTo(graph.params());
    assertThat(LlamaGraph.create(config, new Sgd(1), 8, "cpu", 1).params())
        .isNotEqualTo(graph.params());
  }

  private static double deviation(ComputationGraph graph, String name) {
    return graph.getParam("llama_" + name).stdNumber().doubleValue();
  }

  @Test
  void weight_decay_configured_in_deeplearning4j_is_refused() {
    ComputationGraphConfiguration configuration =
        LlamaGraph.configuration(TINY, new Sgd(1), 1, "cpu", 1);
    ((LlamaLayer)
            ((LayerVertex) configuration.getVertices().get(LlamaGraph.LAYER))
                .getLayerConf()
                .getLayer())
        .setRegularization(List.of(new WeightDecay(0.1, true)));
    assertThatThrownBy(() -> new ComputationGraph(configuration).init())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageEndingWith("wanted none: weight decay is a setting of the layer");
  }

  @Test
  void configuration_survives_json_yaml_cloning_and_java_serialization() throws Exception {
    ComputationGraphConfiguration configuration =
        LlamaGraph.configuration(TINY, new Adam(1e-3), 9, "nd4j", 3);
    ComputationGraphConfiguration[] copies = {
      ComputationGraphConfiguration.fromJson(configuration.toJson()),
      ComputationGraphConfiguration.fromYaml(configuration.toYaml()),
      configuration.clone(),
      throughBytes(configuration),
    };
    for (ComputationGraphConfiguration copy : copies) {
      assertThat(copy).isEqualTo(configuration);
      ComputationGraph graph = new ComputationGraph(copy);
      graph.init();
      LlamaLayer layer = (LlamaLayer) graph.getLayer(LlamaGraph.LAYER).conf().getLayer();
      assertThat(layer.llama()).isEqualTo(TINY);
      assertThat(layer.engine()).isEqualTo("nd4j");
      assertThat(layer.threads()).isEqualTo(3);
      assertThat(layer.getIUpdater()).isEqualTo(new Adam(1e-3));
    }
  }

  private static ComputationGraphConfiguration throughBytes(ComputationGraphConfiguration original)
      throws IOException, ClassNotFoundException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(original);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      return (ComputationGraphConfiguration) in.readObject();
    }
  }

  @Test
  void a_saved_graph_goes_on_exactly_where_it_was(@TempDir Path folder) throws IOException {
    DataSet batch = sequences(2, 12, 10);
    ComputationGraph graph = graph(10);
    graph.fit(batch);
    graph.fit(batch);
    ModelSerializer.writeModel(graph, folder.resolve("graph.zip").toFile(), true);
    ComputationGraph restored =
        ModelSerializer.restoreComputationGraph(folder.resolve("graph.zip").toFile(), true);
    assertThat(restored.params()).isEqualTo(graph.params());
    graph.fit(batch);
    restored.fit(batch);
    assertThat(restored.params()).isEqualTo(graph.params());
    assertThat(restored.score()).isEqualTo(graph.score());
  }

  @Test
  void training_repeats_bit_for_bit() {
    float[][] runs = new float[2][];
    for (int run = 0; run < 2; run++) {
      ComputationGraph graph = graph(11);
      for (int step = 0; step < 6; step++) {
        graph.fit(sequences(3, 14, step));
      }
      runs[run] = graph.params().dup().data().asFloat();
    }
    assertThat(runs[1]).isEqualTo(runs[0]);
  }

  @Test
  void a_cloned_graph_trains_by_itself() {
    ComputationGraph graph = graph(12);
    ComputationGraph clone = graph.clone();
    INDArray before = graph.params().dup();
    clone.fit(sequences(2, 8, 12));
    assertThat(graph.params()).isEqualTo(before);
    assertThat(clone.params()).isNotEqualTo(before);
  }

  @Test
  void a_closed_layer_opens_a_new_engine_when_it_is_used_again() {
    ComputationGraph graph = graph(13);
    DataSet batch = sequences(2, 8, 13);
    double score = graph.score(batch);
    LlamaGraph.output(graph).close();
    assertThat(graph.score(batch)).isEqualTo(score);
  }

  @Test
  void wrong_use_says_what_to_do() {
    assertThatThrownBy(() -> new LlamaLayer(TINY, "gpu", 1, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("train.engine: got gpu, wanted one of cpu, nd4j, cuda");
    assertThatThrownBy(() -> new LlamaLayer(TINY, "cpu", 0, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("train.threads: got 0, wanted at least 1");
    ComputationGraph graph = graph(14);
    DataSet uneven = new DataSet(Nd4j.zeros(2, 5), Nd4j.zeros(2, 4));
    assertThatThrownBy(() -> graph.fit(uneven))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("wanted both [batch, seq]");
    DataSet masked =
        new DataSet(Nd4j.zeros(2, 5), Nd4j.zeros(2, 5), null, Nd4j.ones(DataType.FLOAT, 2, 5));
    assertThatThrownBy(() -> graph.score(masked))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("LlamaLayer: got a mask array, wanted targets of -1 where no loss is taken");
    assertThatThrownBy(() -> graph.output(Nd4j.zeros(1, 5)))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("use engine().score or engine().decoder");
  }
}
