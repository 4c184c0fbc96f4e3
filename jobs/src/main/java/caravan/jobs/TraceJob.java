package caravan.jobs;

import caravan.jobs.audit.Excerpt;
import caravan.pipeline.shard.ShardSearch;
import caravan.pipeline.shard.ShardSearch.Match;
import caravan.pipeline.shard.ShardSearch.Origin;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.tokenize.Encoder;
import caravan.pipeline.tokenize.Tokenizer;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Finds where in the training data a text comes from. */
@Command(
    name = "trace",
    customSynopsis = "caravan trace [TEXT] tokens=DIR [ids=[…]] [OPTIONS] [KEY=VALUE...]",
    description =
        "a text or ids + token shards → the documents that share the longest runs with it: id, source, place")
final class TraceJob extends Job<TraceJob.Config> {
  private static final int EXCERPT = 300;
  private static final int CONTEXT = 12;
  private static final int MAX_QUERY = 100_000;

  /**
   * @param text to look for
   * @param ids to look for, in its place
   * @param tokens directory of token shards
   */
  record Config(Optional<String> text, List<Integer> ids, String tokens, Search trace) {}

  /**
   * @param documents to list at most
   * @param minTokens shorter runs are not listed
   * @param splits in which to look
   * @param at a place instead: shard and position, whose document is told
   */
  record Search(int documents, int minTokens, List<String> splits, Optional<String> at) {
    Search {
      splits = List.copyOf(splits);
      atLeastOne("documents", documents);
      atLeastOne("min-tokens", minTokens);
      if (splits.isEmpty() || !TokenManifest.SPLITS.containsAll(splits)) {
        throw new IllegalArgumentException(
            "trace.splits: got " + splits + ", wanted some of " + TokenManifest.SPLITS);
      }
    }

    private static void atLeastOne(String name, int value) {
      if (value < 1) {
        throw new IllegalArgumentException(
            "trace." + name + ": got " + value + ", wanted 1 or more");
      }
    }
  }

  TraceJob() {
    super(Config.class, "text");
  }

  @Override
  protected int run(Config config) throws IOException {
    Configuration hadoop = hadoop();
    TokenManifest manifest = TokenManifest.read(hadoop, new Path(config.tokens()));
    Encoder encoder =
        manifest.encoder().equals(Encoder.FAST.toString()) ? Encoder.FAST : Encoder.SPARK_NLP;
    Tokenizer tokenizer = Tokenizers.read(config.tokens(), encoder, hadoop);
    manifest.requireTokenizer(tokenizer);
    Optional<int[]> query =
        config.trace().at().isPresent() ? Optional.empty() : Optional.of(query(config, tokenizer));
    try (SparkSession spark = openSpark("trace")) {
      ShardSearch search = new ShardSearch(spark, new Path(config.tokens()));
      if (query.isEmpty()) place(search, tokenizer, config.trace().at().get());
      else matches(search, tokenizer, query.get(), config.trace());
    }
    return Caravan.DONE;
  }

  private static int[] query(Config config, Tokenizer tokenizer) {
    if (config.text().isPresent() == !config.ids().isEmpty()) {
      throw new IllegalArgumentException(
          "trace: got %s, wanted one of text=… and ids=[…] (or trace.at=SHARD:POSITION)"
              .formatted(config.text().isPresent() ? "text and ids" : "neither text nor ids"));
    }
    int[] ids =
        config
            .text()
            .map(tokenizer::encode)
            .orElseGet(() -> config.ids().stream().mapToInt(Integer::intValue).toArray());
    for (int id : ids) tokenizer.piece(id); // refuses ids outside the vocabulary
    if (ids.length == 0 || ids.length > MAX_QUERY) {
      throw new IllegalArgumentException(
          "trace: got %,d tokens to look for, wanted 1 to %,d".formatted(ids.length, MAX_QUERY));
    }
    return ids;
  }

  private static void matches(ShardSearch search, Tokenizer tokenizer, int[] query, Search options)
      throws IOException {
    line("%,d tokens: %s", query.length, Excerpt.line(tokenizer.decode(query), EXCERPT));
    List<Match> matches =
        search.longest(query, options.splits(), options.documents(), options.minTokens());
    if (matches.isEmpty()) {
      line(
          "no document of %s shares a run of %,d tokens with it",
          String.join(", ", options.splits()), options.minTokens());
    }
    for (int i = 0; i < matches.size(); i++) {
      Match match = matches.get(i);
      Origin origin = search.origin(match.shard(), match.start());
      line("");
      line(
          "%d. %,d of %,d tokens: document %s, source %s%s",
          i + 1,
          match.length(),
          query.length,
          origin.id(),
          origin.source(),
          match.copies() == 1
              ? ""
              : String.format(Locale.ROOT, " (and %,d of the same text)", match.copies() - 1));
      line(
          "   %s, tokens %,d to %,d (the document: %,d to %,d); %,d to %,d of what was asked",
          match.shard(),
          match.matchStart(),
          match.matchStart() + match.length(),
          match.start(),
          match.end(),
          match.queryStart(),
          match.queryStart() + match.length());
      context(search, tokenizer, match);
    }
  }

  /** The matched text between what stands before and after it in its document. */
  private static void context(ShardSearch search, Tokenizer tokenizer, Match match)
      throws IOException {
    long from = Math.max(match.start(), match.matchStart() - CONTEXT);
    long to = Math.min(match.end(), match.matchStart() + match.length() + CONTEXT);
    int[] ids = search.read(match.shard(), from, (int) (to - from));
    int start = (int) (match.matchStart() - from);
    int end = start + match.length();
    String before = tokenizer.decode(Arrays.copyOf(ids, start));
    String matched = after(before, tokenizer, ids, start, end);
    String after = after(before + matched, tokenizer, ids, end, ids.length);
    // The context may begin in the middle of a character's bytes, and end there.
    line(
        "   %s【%s】%s",
        Excerpt.visible(before.replaceFirst("^\uFFFD+", "")),
        Excerpt.start(Excerpt.visible(matched), EXCERPT),
        Excerpt.visible(after.replaceFirst("\uFFFD+$", "")));
  }

  /** The text of ids as it goes on after what comes before them, with its first space. */
  private static String after(String before, Tokenizer tokenizer, int[] ids, int start, int end) {
    String all = tokenizer.decode(Arrays.copyOf(ids, end));
    return all.startsWith(before)
        ? all.substring(before.length())
        : tokenizer.decode(Arrays.copyOfRange(ids, start, end));
  }

  private static void place(ShardSearch search, Tokenizer tokenizer, String at) throws IOException {
    if (!at.matches(".+:[0-9]{1,18}")) {
      throw new IllegalArgumentException(
          "trace.at: got '%s', wanted a shard and a position, such as train/shard-00000:1234"
              .formatted(at));
    }
    int colon = at.lastIndexOf(':');
    String shard = at.substring(0, colon);
    long position = Long.parseLong(at.substring(colon + 1));
    Origin origin = search.origin(shard, position);
    int id = search.read(shard, position, 1)[0];
    line("%s, token %,d: %d '%s'", shard, position, id, tokenizer.piece(id));
    line(
        "document %s, source %s: tokens %,d to %,d",
        origin.id(), origin.source(), origin.start(), origin.end());
    int shown = (int) Math.min(origin.end() - origin.start(), EXCERPT);
    line("%s", Excerpt.line(tokenizer.decode(search.read(shard, origin.start(), shown)), EXCERPT));
  }

  private static void line(String format, Object... values) {
    System.out.printf(Locale.ROOT, format + "%n", values);
  }
}
