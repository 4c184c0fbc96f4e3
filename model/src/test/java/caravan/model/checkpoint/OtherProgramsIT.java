package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.Golden;
import caravan.model.LlamaConfig;
import caravan.model.RopeScaling;
import caravan.model.checkpoint.GgufWriter.Weights;
import caravan.model.engine.CpuEngine;
import caravan.model.generate.Generator;
import caravan.model.generate.Sampler;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that we wrote, opened by the programs whose formats they are. */
class OtherProgramsIT {
  private static final Path ROOT = Path.of(System.getProperty("caravan.root"));
  private static final Configuration HADOOP = new Configuration();

  /** Cases that GGUF can carry. */
  private static final List<String> GGUF = List.of("tied", "grouped-untied", "linear", "llama31");

  /**
   * @return what it printed
   */
  private static String python(Object... arguments) throws Exception {
    Process venv =
        new ProcessBuilder(
                ROOT.resolve("jobs/venv").toString(),
                ROOT.resolve("model/src/test/python/requirements.txt").toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String environment = new String(venv.getInputStream().readAllBytes()).strip();
    assertThat(venv.waitFor()).isZero();
    String[] command = new String[arguments.length + 1];
    command[0] = Path.of(environment, "bin/python").toString();
    for (int i = 0; i < arguments.length; i++) {
      command[i + 1] = arguments[i].toString();
    }
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }

  /**
   * All shapes, Llama 3.1's scaling and head sizes that are not the width by the heads among them:
   * no missing or unexpected tensor, the same logits and the same greedy continuation. The golden
   * values themselves are made again, too.
   */
  @Test
  void transformersOpensOurDirectories(@TempDir Path folder) throws Exception {
    for (String name : Golden.CASES) {
      try (Golden golden = Golden.open(name)) {
        Checkpoints.export(folder.resolve(name).toString(), HADOOP, golden.model());
      }
    }
    Path script = ROOT.resolve("model/src/test/python/make_golden.py");
    assertThat(python(script, "--check", "--exported", folder))
        .contains(Golden.CASES.size() + " cases: no differences");
  }

  /** Of Llama 3.1's rule a GGUF file holds the factors for a context of 8192. */
  private static Checkpoint carried(Checkpoint model) {
    LlamaConfig config = model.config();
    if (config.ropeScaling().type() != RopeScaling.Type.LLAMA3) {
      return model;
    }
    return Checkpoint.ofModel(
        config.withContext(32, RopeScaling.llama3(8, 1, 4, 8192)),
        SpecialTokens.none(),
        model.parameters(),
        Map.of());
  }

  /** F32 to the bit, F16 within the format's error; and gguf's numbers of all types. */
  @Test
  void ggufOpensOurFiles(@TempDir Path folder) throws Exception {
    for (String name : GGUF) {
      try (Golden golden = Golden.open(name)) {
        for (Weights weights : List.of(Weights.F32, Weights.F16)) {
          String file = name + "." + weights.name().toLowerCase() + ".gguf";
          GgufWriter.write(
              folder.resolve(file).toString(), HADOOP, carried(golden.model()), weights, Map.of());
        }
      }
    }
    assertThat(
            python(
                ROOT.resolve("model/src/test/python/make_gguf.py"),
                "--check",
                "--exported",
                folder))
        .contains("no differences");
    assertThat(Files.list(folder)).hasSize(2 * GGUF.size());
  }

  /** Each id's text is the id and a space, so that what run.c prints are the ids it chose. */
  @ParameterizedTest(name = "tied {0}")
  @ValueSource(booleans = {true, false})
  void llama2cContinuesOurFilesAsWeDo(boolean tied, @TempDir Path folder) throws Exception {
    LlamaConfig config = new LlamaConfig(24, 20, 2, 4, 4, 6, 47, 32, 10_000, 1e-5, tied);
    int[] wanted;
    try (Checkpoint model = TinyLlama.checkpoint(config, 11);
        CpuEngine engine = new CpuEngine(config, 1)) {
      Llama2c.write(folder.resolve("model.bin").toString(), HADOOP, model, false);
      wanted =
          new Generator(engine, model.parameters())
              .generate(new int[] {1}, 20, Set.of(), Sampler.greedy())
              .ids();
    }
    ByteBuffer tokenizer = ByteBuffer.allocate(1 << 12).order(ByteOrder.LITTLE_ENDIAN).putInt(3);
    for (int id = 0; id < config.vocabSize(); id++) {
      byte[] piece = (id + " ").getBytes();
      tokenizer.putFloat(0).putInt(piece.length).put(piece);
    }
    Files.write(
        folder.resolve("tokenizer.bin"), Arrays.copyOf(tokenizer.array(), tokenizer.position()));
    String run = python(ROOT.resolve("model/src/test/python/run_c.py"), cache()).strip();
    Process process =
        new ProcessBuilder(run, "model.bin", "0", "20").directory(folder.toFile()).start();
    String said = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).as(said).isZero();
    String ids = Arrays.stream(wanted).mapToObj(id -> id + " ").collect(Collectors.joining());
    assertThat(said).startsWith("<s>\n" + ids + "\nachieved");
  }

  /** Where jobs/venv keeps its environments, too. */
  private static Path cache() {
    String given = System.getenv("CARAVAN_CACHE");
    return given == null
        ? Path.of(System.getProperty("user.home"), ".cache/caravan")
        : Path.of(given);
  }
}
