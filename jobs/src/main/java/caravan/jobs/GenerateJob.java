package caravan.jobs;

import caravan.jobs.chat.ChatTemplate;
import caravan.jobs.chat.Conversation;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.Engines;
import caravan.model.engine.VectorApi;
import caravan.model.generate.Generator;
import caravan.model.generate.Sampler;
import caravan.pipeline.Storage;
import caravan.pipeline.tokenize.TokenBuffer;
import caravan.pipeline.tokenize.Tokenizer;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Continues prompts, or in chat answers questions. Prints what follows each. */
@Command(name = GenerateJob.NAME, description = "checkpoint + prompt → text")
final class GenerateJob extends Job<GenerateConfig> {
  static final String NAME = "generate";

  @Option(names = "--chat", description = "put the prompt into the chat template; as chat=true")
  boolean chat;

  @Option(
      names = "--json",
      description = "print a line {\"ids\",\"text\"} per prompt, without the prompt")
  boolean json;

  /**
   * What was generated.
   *
   * @param ids without the prompt, with the id that ended it
   * @param text what the ids add to the prompt's text
   */
  record Generated(int[] ids, String text) {}

  GenerateJob() {
    super(GenerateConfig.class);
  }

  /** Loads what opens files, on another core, while arguments are read. */
  static void begin(String... args) {
    if (args.length > 0 && args[0].equals(NAME)) {
      background("files", SparkSessions::warmUp);
    }
  }

  @Override
  protected int run(GenerateConfig config) {
    Configuration hadoop = hadoop();
    warmUp(config, hadoop);
    for (Generated generated : generateEach(chat ? config.asChat() : config, hadoop)) {
      byte[] line =
          ((json ? line(generated) : generated.text()) + "\n").getBytes(StandardCharsets.UTF_8);
      System.out.write(line, 0, line.length);
    }
    System.out.flush();
    return 0;
  }

  /** The only prompt's continuation. */
  static Generated generate(GenerateConfig config, Configuration hadoop) {
    return generateEach(config, hadoop).get(0);
  }

  /** One for each prompt, in their order; the i-th draws from the seed + i. */
  static List<Generated> generateEach(GenerateConfig config, Configuration hadoop) {
    List<String> prompts = prompts(config, hadoop);
    try (LoadedModel model =
        LoadedModel.open(
            config.checkpoint(),
            config.lora(),
            config.tokenizer(),
            config.model(),
            config.generate().engine(),
            config.generate().threadCount(),
            config.generate().weights(),
            hadoop)) {
      List<Said> said = new ArrayList<>();
      List<Generator.Request> requests = new ArrayList<>();
      for (String prompt : prompts) {
        Said each = new Said(config, model, prompt);
        Sampler sampler = new Sampler(config.sampling(), config.seed() + said.size());
        said.add(each);
        requests.add(new Generator.Request(each.prompt, sampler, each::stopsAfter));
      }
      List<Generator.Continuation> continuations =
          new Generator(model.engine(), model.parameters())
              .generate(requests, config.maxTokens(), stopIds(model), config.generate().batch());
      return IntStream.range(0, said.size())
          .mapToObj(i -> said.get(i).generated(continuations.get(i).ids()))
          .toList();
    }
  }

  /** While the weights are opened, on another core. */
  private static void warmUp(GenerateConfig config, Configuration hadoop) {
    if (config.generate().engine().equals(Engines.CPU) && VectorApi.isPresent()) {
      background("engine", () -> CpuEngine.warmUp(config.generate().weights()));
    }
    if (config.tokenizer().isEmpty()) {
      // It is kept, and who asks for it waits for it.
      background("tokenizer", () -> Tokenizers.read(config.checkpoint(), hadoop));
    }
  }

  private static void background(String name, Runnable work) {
    Thread thread = new Thread(work, "warm-up of " + name);
    thread.setDaemon(true);
    // What fails here fails again where it is used, and is told there.
    thread.setUncaughtExceptionHandler((t, e) -> {});
    thread.start();
  }

  /**
   * @throws IllegalArgumentException when there is no such file or no line in it
   */
  private static List<String> prompts(GenerateConfig config, Configuration hadoop) {
    if (config.prompts().isEmpty()) {
      return List.of(config.prompt().orElse(""));
    }
    String file = config.prompts().get();
    Storage storage = new Storage(hadoop);
    if (!storage.exists(new Path(file))) {
      throw new IllegalArgumentException(
          "prompts %s: no such file, wanted one with a prompt on each line".formatted(file));
    }
    List<String> lines =
        new String(storage.read(new Path(file)), StandardCharsets.UTF_8).lines().toList();
    if (lines.isEmpty()) {
      throw new IllegalArgumentException(
          "prompts %s: the file is empty, wanted a prompt on each line".formatted(file));
    }
    return lines;
  }

  /** One prompt and what has been said after it. */
  private static final class Said {
    private final Function<int[], String> text;
    private final List<String> stops;
    private final TokenBuffer ids = new TokenBuffer();
    private final int[] prompt;

    Said(GenerateConfig config, LoadedModel model, String text) {
      Tokenizer tokenizer = model.tokenizer();
      stops = config.stop().orElse(List.of());
      if (config.chat()) {
        ChatTemplate template = new ChatTemplate(tokenizer);
        prompt = template.prompt(Conversation.asking(question(text)));
        this.text = template::answer;
      } else {
        prompt = prompt(tokenizer, model.addsBos(config.addBos()), text);
        this.text = ids -> continuation(tokenizer, prompt, ids);
      }
    }

    boolean stopsAfter(int id) {
      ids.add(id);
      return !stops.isEmpty() && stopAt(text.apply(ids.toArray()), stops) >= 0;
    }

    Generated generated(int[] ids) {
      String whole = text.apply(ids);
      int end = stopAt(whole, stops);
      return new Generated(ids, end < 0 ? whole : whole.substring(0, end));
    }
  }

  /** Where the first of the stop texts begins; −1 where there is none. */
  private static int stopAt(String text, List<String> stops) {
    return stops.stream().mapToInt(text::indexOf).filter(at -> at >= 0).min().orElse(-1);
  }

  private static String question(String text) {
    if (text.isBlank()) {
      throw new IllegalArgumentException(
          "prompt: got none, wanted a question to answer; set prompt=…");
    }
    return text;
  }

  private static int[] prompt(Tokenizer tokenizer, boolean addsBos, String text) {
    TokenBuffer ids = new TokenBuffer();
    if (addsBos && tokenizer.bosId() >= 0) {
      ids.add(tokenizer.bosId());
    }
    tokenizer.encodeTo(text, ids);
    return ids.toArray();
  }

  /**
   * The end of a document, and the beginning of the next: a model whose data had no EOS (llama2.c)
   * goes on with BOS.
   */
  private static Set<Integer> stopIds(LoadedModel model) {
    Set<Integer> stopIds = new HashSet<>(model.specialTokens().eos());
    stopIds.add(model.tokenizer().eosId());
    model.specialTokens().bos().ifPresent(stopIds::add);
    return stopIds;
  }

  /**
   * Decoded together with the prompt: alone, the first piece would lose its space. Where prompt and
   * continuation share a character's bytes, the character belongs to the continuation.
   */
  static String continuation(Tokenizer tokenizer, int[] prompt, int[] ids) {
    String whole =
        tokenizer.decode(IntStream.concat(IntStream.of(prompt), IntStream.of(ids)).toArray());
    String before = tokenizer.decode(prompt);
    int common = 0;
    while (common < Math.min(before.length(), whole.length())
        && before.charAt(common) == whole.charAt(common)) {
      common++;
    }
    return whole.substring(common);
  }

  private static String line(Generated generated) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("ids", generated.ids());
    line.put("text", generated.text());
    try {
      return new ObjectMapper().writeValueAsString(line);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
