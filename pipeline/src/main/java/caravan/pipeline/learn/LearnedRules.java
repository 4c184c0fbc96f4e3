package caravan.pipeline.learn;

import caravan.pipeline.Storage;
import caravan.pipeline.clean.Boilerplate;
import caravan.pipeline.clean.CleanConfig;
import caravan.pipeline.clean.Learned;
import caravan.pipeline.clean.Perplexity;
import caravan.pipeline.text.BoilerplateLines;
import caravan.pipeline.text.LongSet;
import caravan.pipeline.text.NgramModel;
import caravan.pipeline.text.PerplexityFilter;
import caravan.pipeline.text.Rule;
import caravan.pipeline.text.Shared;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/** The rules of an output from the files in its {@code models/}. */
public final class LearnedRules {
  private static final String BOILERPLATE = "boilerplate";
  private static final String PERPLEXITY = "perplexity-";

  private final LearnedFiles files;
  private final CleanConfig clean;
  private final Map<String, Map<String, Rule>> rules = new TreeMap<>();
  private final Map<String, Object> digests = new TreeMap<>();

  LearnedRules(LearnedFiles files, CleanConfig clean) {
    this.files = files;
    this.clean = clean;
    clean.keepLanguages().forEach(language -> rules.put(language, new TreeMap<>()));
  }

  /**
   * What a finished run learned; no Spark.
   *
   * @param output its directory
   * @param digests {@link Learned#digests} of that run, as its config.json has them
   * @throws IllegalArgumentException when a file that the run learned is not there any more
   */
  public static Learned of(
      Storage storage, String output, CleanConfig clean, Map<String, Object> digests) {
    LearnedRules rules = new LearnedRules(new LearnedFiles(storage, new Path(output)), clean);
    digests.forEach(
        (kind, value) -> {
          Map<?, ?> digest = (Map<?, ?>) value;
          String name = digest.get("file").toString();
          if (kind.equals(BOILERPLATE)) {
            LongSet lines = rules.lines(name);
            rules.addBoilerplate(name, () -> lines);
          } else {
            NgramModel model = rules.model(name);
            rules.addPerplexity(
                kind.substring(PERPLEXITY.length()),
                name,
                () -> model,
                number(digest, "head"),
                number(digest, "middle"));
          }
        });
    return rules.learned();
  }

  static double number(Map<?, ?> record, String key) {
    return ((Number) record.get(key)).doubleValue();
  }

  LongSet lines(String name) {
    return files.read(name, record(name), in -> new LongSet(readLongs(in)));
  }

  NgramModel model(String name) {
    return files.read(name, record(name), NgramModel::read);
  }

  private Map<String, Object> record(String name) {
    return files
        .find(name)
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    files.path(name) + ": not there any more; run clean again, it learns it anew"));
  }

  void addBoilerplate(String name, Shared<LongSet> lines) {
    Rule rule = new BoilerplateLines(lines, clean.boilerplate().minCharacters());
    rules.values().forEach(named -> named.put(Boilerplate.RULE, rule));
    digests.put(BOILERPLATE, Map.of("file", name, "sha256", record(name).get("sha256")));
  }

  void addPerplexity(
      String language, String name, Shared<NgramModel> model, double head, double middle) {
    Perplexity config = clean.rules(language).perplexity();
    rules
        .get(language)
        .put(Perplexity.RULE, new PerplexityFilter(model, head, middle, config.keep()));
    digests.put(
        PERPLEXITY + language,
        Map.of("file", name, "sha256", record(name).get("sha256"), "head", head, "middle", middle));
  }

  Learned learned() {
    return new Learned(rules, digests);
  }

  static void writeLongs(long[] values, DataOutput out) throws IOException {
    out.writeInt(values.length);
    for (long value : values) {
      out.writeLong(value);
    }
  }

  private static long[] readLongs(DataInput in) throws IOException {
    long[] values = new long[in.readInt()];
    for (int i = 0; i < values.length; i++) {
      values[i] = in.readLong();
    }
    return values;
  }
}
