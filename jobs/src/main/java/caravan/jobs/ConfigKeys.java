package caravan.jobs;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The keys of reference.conf and the comments that describe them. A key whose default is an empty
 * section ({@code {}}) is a table that users fill: any key is known below it.
 */
final class ConfigKeys {
  /** Keys that may be written short. */
  private static final Map<String, String> SHORT =
      Map.of(
          "id-field", "read.id-field",
          "text-field", "read.text-field",
          "encoder", "tokenize.encoder",
          "format", "tokenize.format",
          "eos", "tokenize.eos",
          "vocab-size", "train-tokenizer.vocab-size");

  private final Config reference;
  private final Map<String, ConfigValue> leaves;

  ConfigKeys(Config reference) {
    this.reference = reference;
    this.leaves = leaves(reference);
  }

  Set<String> all() {
    return leaves.keySet();
  }

  /**
   * @param where what the keys were read from, for the message
   * @throws IllegalArgumentException for a key that reference.conf does not have, naming the
   *     nearest that it has
   */
  void check(Config config, String where) {
    leaves(config)
        .forEach(
            (path, value) -> {
              if (!path.startsWith("spark.") && !isKnown(path)) {
                throw new IllegalArgumentException(unknown(path, value, where));
              }
            });
  }

  /** The same settings with short keys written out. */
  static Config writtenOut(Config config) {
    Config whole = config;
    for (Map.Entry<String, String> key : SHORT.entrySet()) {
      if (whole.hasPath(key.getKey())) {
        whole =
            whole.withValue(key.getValue(), whole.getValue(key.getKey())).withoutPath(key.getKey());
      }
    }
    return whole;
  }

  /** What reference.conf's comment says about a key, in one line; empty when it says nothing. */
  String described(String path) {
    if (!reference.hasPathOrNull(path)) {
      return "";
    }
    return value(path).origin().comments().stream()
        .map(String::strip)
        .collect(Collectors.joining(" "));
  }

  /** All leaves by path: values, nulls and empty sections. */
  static Map<String, ConfigValue> leaves(Config config) {
    Map<String, ConfigValue> leaves = new LinkedHashMap<>();
    collect(config.root(), List.of(), leaves);
    return leaves;
  }

  private static void collect(
      ConfigObject object, List<String> path, Map<String, ConfigValue> leaves) {
    object.keySet().stream()
        .sorted()
        .forEach(
            key -> {
              List<String> inner = new ArrayList<>(path);
              inner.add(key);
              if (object.get(key) instanceof ConfigObject section && !section.isEmpty()) {
                collect(section, inner, leaves);
              } else {
                leaves.put(ConfigUtil.joinPath(inner), object.get(key));
              }
            });
  }

  private ConfigValue value(String path) {
    ConfigObject object = reference.root();
    List<String> steps = ConfigUtil.splitPath(path);
    for (String step : steps.subList(0, steps.size() - 1)) {
      object = (ConfigObject) object.get(step);
    }
    return object.get(steps.get(steps.size() - 1));
  }

  private boolean isKnown(String path) {
    if (leaves.containsKey(path)) {
      return true;
    }
    List<String> steps = ConfigUtil.splitPath(path);
    return IntStream.range(1, steps.size())
        .mapToObj(length -> ConfigUtil.joinPath(steps.subList(0, length)))
        .anyMatch(parent -> leaves.get(parent) instanceof ConfigObject table && table.isEmpty());
  }

  private String unknown(String path, ConfigValue value, String where) {
    String prefix = path + ".";
    if (leaves.keySet().stream().anyMatch(key -> key.startsWith(prefix))) {
      return "%s in %s: got %s, wanted a section of keys such as %s"
          .formatted(path, where, value.unwrapped(), first(prefix));
    }
    return "%s in %s: unknown key. The nearest known one is %s; conf/reference.conf lists them all"
        .formatted(path, where, nearest(path));
  }

  private String first(String prefix) {
    return leaves.keySet().stream().filter(key -> key.startsWith(prefix)).findFirst().orElse("");
  }

  /** Also finds {@code steps} for {@code train.steps}: the last name counts as much as the path. */
  private String nearest(String path) {
    return leaves.keySet().stream()
        .min(
            Comparator.comparingInt(
                    (String known) ->
                        Math.min(distance(known, path), 1 + distance(last(known), last(path))))
                .thenComparingInt(known -> distance(known, path)))
        .orElse("none");
  }

  private static String last(String path) {
    return path.substring(path.lastIndexOf('.') + 1);
  }

  /** Levenshtein's edit distance. */
  static int distance(String a, String b) {
    int[] row = IntStream.rangeClosed(0, b.length()).toArray();
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int substitution = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substitution, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
