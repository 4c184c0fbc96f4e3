package caravan.jobs;

import caravan.jobs.audit.Excerpt;
import caravan.jobs.audit.StageDocuments;
import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Manifest;
import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.ShardReader;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.tokenize.SentencePiece;
import caravan.pipeline.tokenize.Tokenizer;
import caravan.pipeline.tokenize.TokenizerFiles;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Tells what any of our outputs is, what is in it, and whether it is whole. */
@Command(
    name = "inspect",
    description = "any output of ours (input=…) → what it is, counts, sizes, health, first rows")
final class InspectJob extends Job<InspectJob.Config> {
  /** Code points of a document that are shown. */
  private static final int EXCERPT = 160;

  /** Input files that are named. */
  private static final int INPUTS = 5;

  /**
   * @param rows first rows to show
   */
  record Config(String input, int rows, long seed, Inspect inspect, AdapterBase lora) {
    Config {
      if (rows < 0) {
        throw new IllegalArgumentException("rows: got " + rows + ", wanted 0 or more");
      }
    }
  }

  /**
   * @param samples dropped documents to show per reason
   */
  record Inspect(int samples) {
    Inspect {
      if (samples < 0) {
        throw new IllegalArgumentException(
            "inspect.samples: got " + samples + ", wanted 0 or more");
      }
    }
  }

  InspectJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) throws IOException {
    Configuration hadoop = hadoop();
    Path path = new Path(config.input());
    Storage storage = new Storage(hadoop);
    if (storage.status(path).isEmpty()) {
      throw new IllegalArgumentException("input " + path + ": no such file or directory");
    }
    Optional<Manifest> manifest = Manifest.find(hadoop, path);
    if (manifest.isPresent()) {
      output(config, manifest.get(), hadoop);
    } else if (storage.status(path).get().isFile()) {
      tokenizer(Tokenizers.read(config.input(), hadoop), config.rows());
    } else {
      InspectedModel.print(config.input(), config.lora().base(), hadoop);
    }
    return Caravan.DONE;
  }

  private void output(Config config, Manifest manifest, Configuration hadoop) throws IOException {
    Path directory = new Path(config.input());
    long bytes = manifest.files().stream().mapToLong(Manifest.OutputFile::bytes).sum();
    line(
        "%s: %s, %,d files, %,d bytes", directory, manifest.kind(), manifest.files().size(), bytes);
    manifest.counts().forEach((name, count) -> line("  %s: %,d", name, count));
    line("  content hash: %s", manifest.contentHash());
    manifest.inputs().stream()
        .limit(INPUTS)
        .forEach(in -> line("  made from %s (%,d bytes)", in.path(), in.size()));
    if (manifest.inputs().size() > INPUTS) {
      line("  and from %,d more files", manifest.inputs().size() - INPUTS);
    }
    manifest.checkHashes(hadoop, directory);
    line("  every file has the length and SHA-256 that the manifest says");
    if (manifest.kind().equals(Manifest.DOCUMENTS)) {
      documents(config, manifest);
    } else if (manifest.kind().equals(Manifest.TOKENS)) {
      tokens(config, TokenManifest.of(manifest), hadoop);
    } else if (manifest.kind().equals(Manifest.TOKENIZER)) {
      tokenizer(Tokenizers.read(config.input(), hadoop), config.rows());
    }
  }

  private void documents(Config config, Manifest manifest) {
    StageDocuments documents = new StageDocuments(config.input(), manifest);
    StageReport report = documents.report();
    flows("language", report.byLanguage());
    flows("source", report.bySource());
    report
        .droppedByReason()
        .forEach(
            (reason, tally) ->
                line(
                    "  dropped as %s: %,d documents, %,d characters",
                    reason, tally.documents(), tally.characters()));
    try (SparkSession spark = openSpark("inspect")) {
      StageOutput.read(spark, config.input()).limit(config.rows()).collectAsList().stream()
          .map(Documents::fromRow)
          .forEach(
              d -> line("%n[%s] %s %s: %s", d.id(), d.source(), d.language(), excerpt(d.text())));
      report.droppedByReason().keySet().stream()
          .filter(reason -> config.inspect().samples() > 0)
          .forEach(reason -> dropped(spark, documents, reason, config));
    }
  }

  private static void dropped(
      SparkSession spark, StageDocuments documents, String reason, Config config) {
    List<Row> sample =
        documents.droppedSample(spark, reason, config.inspect().samples(), config.seed());
    long all = documents.report().droppedByReason().get(reason).documents();
    line("%ndropped as %s, %,d of %,d:", reason, sample.size(), all);
    for (Row row : sample) {
      Document d = Documents.fromRow(row);
      line(
          "  [%s] %s %s %s (%s): %s",
          d.id(), d.source(), d.path(), d.language(), row.getAs("detail"), excerpt(d.text()));
    }
  }

  private static void flows(String what, Map<String, StageReport.Flow> flows) {
    flows.forEach(
        (name, flow) ->
            line(
                "  %s %s: kept %,d of %,d documents, %,d characters",
                what,
                name,
                flow.kept().documents(),
                flow.input().documents(),
                flow.kept().characters()));
  }

  private static void tokens(Config config, TokenManifest tokens, Configuration hadoop)
      throws IOException {
    Path directory = new Path(config.input());
    line(
        "  %s ids below %,d, BOS %d, EOS %d%s; made with the tokenizer of SHA-256 %s",
        tokens.dtype().name().toLowerCase(Locale.ROOT),
        tokens.vocabSize(),
        tokens.bosId(),
        tokens.eosId(),
        tokens.eos() ? "" : " (not written)",
        tokens.tokenizerSha256());
    for (TokenManifest.Shard shard : tokens.shards()) {
      line("  %s: %,d documents, %,d tokens", shard.name(), shard.documents(), shard.tokens());
    }
    for (TokenManifest.SourceShare share : tokens.sources()) {
      line(
          "  training, source %s%s: %,d documents, %,d tokens; %.3f epochs: %,d documents, %,d tokens",
          share.source(),
          share.language().isEmpty() ? "" : ", language " + share.language(),
          share.documents(),
          share.tokens(),
          share.effectiveEpochs(),
          share.writtenDocuments(),
          share.writtenTokens());
    }
    Storage storage = new Storage(hadoop);
    boolean hasTokenizer =
        TokenizerFiles.NAMES.stream().anyMatch(name -> storage.exists(new Path(directory, name)));
    if (tokens.shards().isEmpty() || !hasTokenizer) {
      return;
    }
    Tokenizer tokenizer = Tokenizers.read(directory.toString(), hadoop);
    tokens.requireTokenizer(tokenizer);
    try (ShardReader shard =
        new ShardReader(hadoop, directory, tokens.shards().get(0), tokens.dtype())) {
      for (int i = 0; i < Math.min(config.rows(), shard.documents()); i++) {
        int[] ids = shard.document(i);
        String first = Arrays.toString(Arrays.copyOf(ids, Math.min(8, ids.length)));
        line("%n%,d ids, %s …: %s", ids.length, first, excerpt(tokenizer.decode(ids)));
      }
    }
  }

  private static void tokenizer(Tokenizer tokenizer, int rows) {
    line(
        "%s tokenizer: %,d pieces, BOS %d, EOS %d, unknown %d, SHA-256 %s",
        tokenizer instanceof SentencePiece ? "SentencePiece" : "Byte-level BPE",
        tokenizer.vocabSize(),
        tokenizer.bosId(),
        tokenizer.eosId(),
        tokenizer.unkId(),
        tokenizer.sha256());
    for (String text : List.of("The quick brown fox, 2024.", "今天的天气很好。")) {
      StringBuilder pieces = new StringBuilder();
      for (int id : tokenizer.encode(text)) {
        pieces.append(' ').append(tokenizer.piece(id));
      }
      line("  %s →%s", text, pieces);
    }
    for (int id = 0; id < Math.min(rows, tokenizer.vocabSize()); id++) {
      line("  %d: %s", id, tokenizer.piece(id));
    }
  }

  private static String excerpt(String text) {
    return Excerpt.line(text, EXCERPT);
  }

  static void line(String format, Object... values) {
    System.out.printf(Locale.ROOT, format + "%n", values);
  }
}
