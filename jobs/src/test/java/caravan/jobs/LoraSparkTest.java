package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adapters as commands train and read them, their base where they say and elsewhere. */
class LoraSparkTest {
  private static final String REQUEST =
      "{\"context\": \"the sky\", \"continuation\": \" is the sea and the grass is green\"}";

  @TempDir static Path folder;

  private static Path base;
  private static String adapters;
  private static Path chat;

  @BeforeAll
  static void trainAdapters() throws IOException {
    TestSpark.session();
    base = Path.of(TinyModel.write(folder.resolve("base")));
    adapters = folder.resolve("adapters").toString();
    chat =
        Files.writeString(
            folder.resolve("chat.csv"),
            "text\n\"<s>Human: what is the sky?\n</s><s>Assistant: the sky is blue\n</s>\"\n");
    Said trained = sft("lora.rank=2");
    assertThat(trained.status()).as(trained.err()).isZero();
  }

  private static Said sft(String... more) {
    List<String> line = new ArrayList<>(List.of("sft", "--master", "local[2]"));
    line.addAll(List.of("checkpoint=" + base, "input=" + chat, "output=" + adapters));
    line.addAll(List.of("train.sequence-length=64", "train.batch-sequences=1", "train.workers=1"));
    line.addAll(List.of("train.warmup-steps=0", "train.learning-rate=0.05", "train.steps=3"));
    line.addAll(List.of("sft.validation-fraction=0", "lora.target-modules=[q_proj, down_proj]"));
    line.addAll(List.of(more));
    return CommandLine.run(line.toArray(String[]::new));
  }

  private static Said generate(Object checkpoint, String... more) {
    List<String> line = new ArrayList<>(List.of("generate", "--json", "generate.threads=1"));
    line.addAll(List.of("checkpoint=" + checkpoint, "prompt=the sky", "max-tokens=8"));
    line.add("temperature=0");
    line.addAll(List.of(more));
    return CommandLine.run(line.toArray(String[]::new));
  }

  /** What a model makes of the request, or why it was not asked. */
  private static String evaluate(String output, Object checkpoint, String... more)
      throws IOException {
    Path items = Files.writeString(folder.resolve("requests.jsonl"), REQUEST + "\n");
    List<String> line = new ArrayList<>(List.of("evaluate", "tasks=loglikelihood"));
    line.addAll(List.of("items=" + items, "output=" + folder.resolve(output)));
    line.addAll(List.of("checkpoint=" + checkpoint, "evaluate.threads=1"));
    line.addAll(List.of(more));
    Said said = CommandLine.run(line.toArray(String[]::new));
    return said.status() == 0
        ? Files.readString(folder.resolve(output).resolve("loglikelihood.jsonl"))
        : said.err();
  }

  private static Said inspect(Object input, String... more) {
    List<String> line = new ArrayList<>(List.of("inspect", "input=" + input));
    line.addAll(List.of(more));
    return CommandLine.run(line.toArray(String[]::new));
  }

  @Test
  void everyCommandThatReadsAdaptersTakesTheirBaseFromWhereItHasMoved() throws IOException {
    String scored = evaluate("before", adapters);
    assertThat(scored).startsWith("{").isNotEqualTo(evaluate("base-alone", base));
    Said said = generate(adapters);
    Said told = inspect(adapters);
    assertThat(List.of(said.status(), told.status())).containsOnly(0);

    Path moved = Files.move(base, folder.resolve("moved"));
    try {
      String lora = "lora.base=" + moved;
      assertThat(generate(adapters, lora)).isEqualTo(said);
      for (String weights : List.of("f32", "q8_0")) {
        assertThat(generate(adapters, lora, "generate.weights=" + weights).status()).isZero();
      }
      assertThat(evaluate("after", adapters, lora)).isEqualTo(scored);
      Said again = inspect(adapters, lora);
      assertThat(again.status()).as(again.err()).isZero();
      assertThat(again.out())
          .contains("adapters beside " + moved + ", shown merged into it:")
          .endsWith(told.out().substring(told.out().indexOf("  rank 2, scale 8.0")));
      assertBaseIsMissed("generate", generate(adapters));
      assertBaseIsMissed("inspect", inspect(adapters));
      assertThat(evaluate("none", adapters)).isEqualTo(missed("evaluate"));
    } finally {
      Files.move(moved, base);
    }
  }

  @Test
  void adaptersThatNameNoBaseAskForIt() throws IOException {
    Path named = Path.of(adapters, "checkpoints/step-00000003");
    Path nameless = Files.createDirectory(folder.resolve("nameless"));
    Files.copy(
        named.resolve("adapter_model.safetensors"), nameless.resolve("adapter_model.safetensors"));
    Path config = nameless.resolve("adapter_config.json");
    String text = Files.readString(named.resolve("adapter_config.json"));
    Files.writeString(config, text.replace("\"" + base + "\"", "null"));

    Said said = inspect(nameless);
    assertThat(said.err())
        .isEqualTo(
            "caravan inspect: %s: base_model_name_or_path is missing; say where the base lies by lora.base\n"
                .formatted(config));
    assertThat(said.status()).isEqualTo(2);
    assertThat(inspect(nameless, "lora.base=" + base).status()).isZero();
  }

  private static String missed(String command) {
    return "caravan %s: the base of the adapters in %s/checkpoints/step-00000003: %s does not exist, wanted a Hugging Face model directory, a checkpoint, or the output of pretrain or sft; put it there, or say where it lies by lora.base\n"
        .formatted(command, adapters, base);
  }

  private static void assertBaseIsMissed(String command, Said said) {
    assertThat(said.err()).isEqualTo(missed(command));
    assertThat(said.status()).isEqualTo(2);
  }

  @Test
  void aTrainingGoesOnBesideABaseOfTheSameElementsOnly() {
    Said unknown = sft("lora.rank=2", "lora.base-weights=int4");
    assertThat(unknown.err())
        .isEqualTo("caravan sft: lora.base-weights: got int4, wanted fp32, bf16 or q8_0\n");
    assertThat(unknown.status()).isEqualTo(2);

    Said alone = sft("lora.base-weights=bf16", "lora.target-modules=[q_proj]");
    assertThat(alone.err()).startsWith("caravan sft: lora.rank: got 0, which trains all ");
    assertThat(alone.status()).isEqualTo(2);

    Said other = sft("lora.rank=2", "lora.base-weights=q8_0", "train.steps=4");
    assertThat(other.err())
        .startsWith("caravan sft: cannot resume from " + adapters)
        .contains("it was trained with lora = LoraConfig[rank=2, ")
        .contains("] beside a base in q8_0; use the same, another output, or resume=never");
    assertThat(other.status()).isEqualTo(2);
  }
}
