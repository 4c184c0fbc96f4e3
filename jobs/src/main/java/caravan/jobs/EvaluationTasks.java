package caravan.jobs;

import caravan.jobs.chat.ChatReader;
import caravan.jobs.chat.ChatRecord;
import caravan.jobs.chat.ChatTemplate;
import caravan.jobs.chat.Conversation;
import caravan.jobs.tasks.DialogueChoice;
import caravan.jobs.tasks.LoglikelihoodItem;
import caravan.model.eval.Loglikelihood;
import caravan.model.eval.MultipleChoice;
import caravan.model.eval.Perplexity;
import caravan.pipeline.Inputs;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.ShardReader;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenShards;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** The tasks of {@code evaluate}: files into ids, ids through the model, numbers out. */
final class EvaluationTasks {
  static final String LOGLIKELIHOOD_FILE = "loglikelihood.jsonl";

  private final LoadedModel model;
  private final EvaluateConfig config;
  private final Configuration hadoop;
  private final Loglikelihood loglikelihood;

  EvaluationTasks(LoadedModel model, EvaluateConfig config, Configuration hadoop) {
    this.model = model;
    this.config = config;
    this.hadoop = hadoop;
    this.loglikelihood =
        new Loglikelihood(model.engine(), model.parameters(), config.evaluate().batchTokens());
  }

  /**
   * Loss over whole held-out documents. Bits per byte count the UTF-8 bytes of the documents' text.
   */
  Map<String, Number> perplexity() {
    Perplexity perplexity =
        new Perplexity(model.engine(), model.parameters(), config.evaluate().batchTokens());
    long bytes = 0;
    try (TokenShards shards = openShards()) {
      long tokens = 0;
      for (ShardReader shard : shards.shards()) {
        for (int d = 0; d < shard.documents() && isWanted(tokens); d++) {
          int[] document = shard.document(d);
          tokens += document.length;
          bytes += model.tokenizer().decode(document).getBytes(StandardCharsets.UTF_8).length;
          if (document.length > 1) {
            perplexity.add(document);
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + config.tokens().orElseThrow(), e);
    }
    Perplexity.Result result = perplexity.result();
    Map<String, Number> metrics = new LinkedHashMap<>();
    metrics.put("loss", finite(result.loss()));
    metrics.put("loss_stderr", result.lossStandardError());
    metrics.put("perplexity", result.perplexity());
    metrics.put("token_accuracy", result.tokenAccuracy());
    metrics.put("token_accuracy_stderr", result.tokenAccuracyStandardError());
    metrics.put("bits_per_byte", result.loss() * result.tokens() / Math.log(2) / bytes);
    metrics.put("tokens", result.tokens());
    metrics.put("documents", (long) result.sequences());
    return metrics;
  }

  private boolean isWanted(long tokens) {
    long max = config.evaluate().maxTokens();
    return max == 0 || tokens < max;
  }

  private TokenShards openShards() throws IOException {
    String tokens = config.tokens().orElseThrow();
    String split = config.evaluate().split();
    TokenShards shards = new TokenShards(hadoop, new Path(tokens), split);
    try {
      shards.manifest().requireTokenizer(model.tokenizer());
      shards.manifest().requireModelVocabulary(model.config().vocabSize());
      if (shards.documents() == 0) {
        throw new IllegalArgumentException(
            "%s: the split %s has no document, wanted held-out text; make one with tokenize, or set evaluate.split=%s"
                .formatted(tokens, split, TokenManifest.TRAIN));
      }
      return shards;
    } catch (RuntimeException e) {
      shards.close();
      throw e;
    }
  }

  /** Multiple choice from dialogues; normalized by the answers' characters (code points). */
  Map<String, Number> choice() {
    ChatTemplate template = new ChatTemplate(model.tokenizer());
    List<MultipleChoice.Item> items =
        sampled(DialogueChoice.of(conversations(), config.seed())).stream()
            .map(item -> item(item, template))
            .toList();
    MultipleChoice.Result result = new MultipleChoice(loglikelihood).evaluate(items);
    Map<String, Number> metrics = new LinkedHashMap<>();
    metrics.put("acc", result.accuracy().value());
    metrics.put("acc_stderr", result.accuracy().standardError());
    metrics.put("acc_norm", result.normalizedAccuracy().value());
    metrics.put("acc_norm_stderr", result.normalizedAccuracy().standardError());
    metrics.put("chance", result.chance());
    metrics.put("items", (long) result.items());
    return metrics;
  }

  /** The continuation is what training teaches: the answer, its line break and EOS. */
  private static MultipleChoice.Item item(DialogueChoice choice, ChatTemplate template) {
    List<int[]> continuations =
        choice.choices().stream().map(answer -> template.answerIds(answer)).toList();
    double[] characters =
        choice.choices().stream().mapToDouble(c -> c.codePointCount(0, c.length())).toArray();
    return new MultipleChoice.Item(
        template.prompt(Conversation.asking(choice.question())),
        continuations,
        characters,
        choice.answer());
  }

  private List<DialogueChoice> sampled(List<DialogueChoice> items) {
    int max = config.evaluate().maxItems();
    if (max == 0 || items.size() <= max) {
      return items;
    }
    List<DialogueChoice> shuffled = new ArrayList<>(items);
    Collections.shuffle(shuffled, new Random(config.seed()));
    return shuffled.subList(0, max);
  }

  private List<Conversation> conversations() {
    List<Conversation> conversations = new ArrayList<>();
    for (Inputs.InputFile file : itemFiles()) {
      try (InputStream in = new Storage(hadoop).open(new Path(file.path()))) {
        Iterator<ChatRecord> records = ChatReader.read(in, file.relativePath());
        while (records.hasNext()) {
          conversations.add(usable(records.next()));
        }
      } catch (IOException e) {
        throw new UncheckedIOException("cannot read " + file.path(), e);
      }
    }
    return conversations;
  }

  /** A benchmark with holes would not be the same benchmark. */
  private static Conversation usable(ChatRecord record) {
    if (record instanceof ChatRecord.Broken broken) {
      throw new IllegalArgumentException(
          "choice: %s is no dialogue (%s: %s); repair it or take it out of the items"
              .formatted(broken.id(), broken.defect().reason(), broken.defect().detail()));
    }
    return ((ChatRecord.Readable) record).conversation();
  }

  /** Answers every request, in order, in {@link #LOGLIKELIHOOD_FILE}. */
  Map<String, Number> loglikelihood() {
    List<Loglikelihood.Score> scores = loglikelihood.score(requests());
    ByteArrayOutputStream lines = new ByteArrayOutputStream();
    double sum = 0;
    long tokens = 0;
    for (Loglikelihood.Score score : scores) {
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("logprob", finite(score.logProbability()));
      line.put("greedy", score.greedy());
      line.put("tokens", score.tokens());
      lines.writeBytes(jsonLine(line));
      sum += score.logProbability();
      tokens += score.tokens();
    }
    new Storage(hadoop)
        .writeAtomically(new Path(config.output(), LOGLIKELIHOOD_FILE), lines.toByteArray());
    Map<String, Number> metrics = new LinkedHashMap<>();
    metrics.put("loss", -sum / tokens);
    metrics.put("tokens", tokens);
    metrics.put("items", (long) scores.size());
    metrics.put("cut_contexts", scores.stream().filter(score -> score.cutContext() > 0).count());
    return metrics;
  }

  private List<Loglikelihood.Request> requests() {
    List<Loglikelihood.Request> requests = new ArrayList<>();
    for (Inputs.InputFile file : itemFiles()) {
      try (BufferedReader lines =
          new BufferedReader(
              new InputStreamReader(
                  new Storage(hadoop).open(new Path(file.path())), StandardCharsets.UTF_8))) {
        int number = 0;
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          number++;
          if (!line.isBlank()) {
            requests.add(request(line, file.relativePath() + ":" + number));
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException("cannot read " + file.path(), e);
      }
    }
    return requests;
  }

  private Loglikelihood.Request request(String line, String location) {
    LoglikelihoodItem.Ids ids =
        LoglikelihoodItem.parse(line, location)
            .encode(model.tokenizer(), model.addsBos(config.addBos()));
    int longest = model.config().contextLength();
    if (ids.continuation().length > longest) {
      throw new IllegalArgumentException(
          "%s: the continuation has %,d tokens, wanted at most the model's context of %,d"
              .formatted(location, ids.continuation().length, longest));
    }
    return new Loglikelihood.Request(ids.context(), ids.continuation());
  }

  private List<Inputs.InputFile> itemFiles() {
    return Inputs.resolve(hadoop, config.itemFiles()).files();
  }

  private static byte[] jsonLine(Map<String, Object> line) {
    try {
      return (new ObjectMapper().writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private double finite(double value) {
    if (!Double.isFinite(value)) {
      throw new IllegalStateException(
          "%s: got %s for a log-probability, so the model's parameters are broken; evaluate an earlier checkpoint"
              .formatted(config.checkpoint(), value));
    }
    return value;
  }
}
