package caravan.jobs;

import caravan.jobs.chat.ChatTemplate;
import caravan.jobs.chat.Conversation;
import caravan.model.generate.Generator;
import caravan.model.generate.Sampler;
import caravan.pipeline.tokenize.TokenBuffer;
import caravan.pipeline.tokenize.Tokenizer;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Continues a prompt, or in chat answers a question. Prints what follows the prompt. */
@Command(name = "generate", description = "checkpoint + prompt → text")
final class GenerateJob extends Job<GenerateConfig> {
  @Option(names = "--chat", description = "put the prompt into the chat template; as chat=true")
  boolean chat;

  @Option(names = "--json", description = "print one line {\"ids\",\"text\"}, without the prompt")
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

  @Override
  protected int run(GenerateConfig config) {
    Generated generated = generate(chat ? config.asChat() : config, hadoop());
    byte[] line =
        ((json ? line(generated) : generated.text()) + "\n").getBytes(StandardCharsets.UTF_8);
    System.out.write(line, 0, line.length);
    System.out.flush();
    return 0;
  }

  static Generated generate(GenerateConfig config, Configuration hadoop) {
    Sampler sampler = new Sampler(config.sampling(), config.seed());
    try (LoadedModel model =
        LoadedModel.open(
            config.checkpoint(),
            config.tokenizer(),
            config.model(),
            config.generate().engine(),
            config.generate().threadCount(),
            config.generate().weights(),
            hadoop)) {
      ChatTemplate template = config.chat() ? new ChatTemplate(model.tokenizer()) : null;
      int[] prompt =
          config.chat()
              ? template.prompt(Conversation.asking(question(config)))
              : prompt(config, model.tokenizer());
      Function<int[], String> text =
          ids ->
              config.chat() ? template.answer(ids) : continuation(model.tokenizer(), prompt, ids);
      List<String> stops = config.stop().orElse(List.of());
      TokenBuffer said = new TokenBuffer();
      IntPredicate stopped =
          id -> {
            said.add(id);
            return !stops.isEmpty() && stopAt(text.apply(said.toArray()), stops) >= 0;
          };
      int[] ids =
          new Generator(model.engine(), model.checkpoint().parameters())
              .generate(prompt, config.maxTokens(), stopIds(model), sampler, stopped)
              .ids();
      String whole = text.apply(ids);
      int end = stopAt(whole, stops);
      return new Generated(ids, end < 0 ? whole : whole.substring(0, end));
    }
  }

  /** Where the first of the stop texts begins; −1 where there is none. */
  private static int stopAt(String text, List<String> stops) {
    return stops.stream().mapToInt(text::indexOf).filter(at -> at >= 0).min().orElse(-1);
  }

  private static String question(GenerateConfig config) {
    if (config.text().isBlank()) {
      throw new IllegalArgumentException(
          "prompt: got none, wanted a question to answer; set prompt=…");
    }
    return config.text();
  }

  private static int[] prompt(GenerateConfig config, Tokenizer tokenizer) {
    TokenBuffer ids = new TokenBuffer();
    if (config.addBos() && tokenizer.bosId() >= 0) {
      ids.add(tokenizer.bosId());
    }
    tokenizer.encodeTo(config.text(), ids);
    return ids.toArray();
  }

  /**
   * The end of a document, and the beginning of the next: a model whose data had no EOS (llama2.c)
   * goes on with BOS.
   */
  private static Set<Integer> stopIds(LoadedModel model) {
    Set<Integer> stopIds = new HashSet<>(model.checkpoint().specialTokens().eos());
    stopIds.add(model.tokenizer().eosId());
    model.checkpoint().specialTokens().bos().ifPresent(stopIds::add);
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
