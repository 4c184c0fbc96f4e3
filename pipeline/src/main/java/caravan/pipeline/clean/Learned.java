package caravan.pipeline.clean;

import caravan.pipeline.text.Rule;
import java.io.Serializable;
import java.util.Map;
import java.util.TreeMap;

/**
 * Rules that were learned from a corpus before cleaning: {@code caravan.pipeline.learn} makes them.
 * What cleaning does depends on what was learned, so {@link #digests} belongs to what decides
 * whether an output is up to date.
 *
 * @param rules by language and the rule's name in {@code filters}; a name there without a rule here
 *     does nothing
 * @param digests what tells these rules from others
 */
public record Learned(Map<String, Map<String, Rule>> rules, Map<String, Object> digests)
    implements Serializable {
  /** For settings that learn nothing. */
  public static final Learned NOTHING = new Learned(Map.of(), Map.of());

  public Learned {
    rules = new TreeMap<>(rules);
    digests = new TreeMap<>(digests);
  }

  Map<String, Rule> rules(String language) {
    return rules.getOrDefault(language, Map.of());
  }
}
