package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import net.openhft.hashing.LongHashFunction;

/**
 * How often each training document is written. A group is what lies in one source and language; a
 * group that no rule names is written once.
 *
 * <p>Weights become epochs by the measured tokens T of the groups that each rule matches: the rules
 * with weights keep their T in sum and share it by weight, so rule i gets epochs = (wᵢ / Σw) · (ΣT
 * / Tᵢ). Rules with epochs take no part in that.
 *
 * <p>Of e epochs every document gets ⌊e⌋ copies, and one more if a hash of its text and the seed,
 * read as a number in [0, 1), lies below e − ⌊e⌋: the same documents whatever else the corpus
 * holds.
 */
final class Mixture implements Serializable {
  private static final long serialVersionUID = 1;
  private static final String SALT = "mixture";

  /**
   * @param size tokens in the training split before mixing
   */
  record Group(String source, String language, long size) {}

  private final Map<List<String>, Double> epochs;

  private Mixture(Map<List<String>, Double> epochs) {
    this.epochs = epochs;
  }

  /**
   * @param groups all that the training split holds
   * @throws IllegalArgumentException when a rule matches no document, naming the groups there are
   */
  static Mixture of(List<MixtureRule> rules, List<Group> groups) {
    List<List<Group>> matched = matched(rules, groups, "tokens");
    double weights = 0;
    double weightedTokens = 0;
    for (int i = 0; i < rules.size(); i++) {
      if (rules.get(i).weight() != null) {
        weights += rules.get(i).weight();
        weightedTokens += tokens(matched.get(i));
      }
    }
    Map<List<String>, Double> epochs = new HashMap<>();
    for (int i = 0; i < rules.size(); i++) {
      MixtureRule rule = rules.get(i);
      double value =
          rule.epochs() != null
              ? rule.epochs()
              : rule.weight() / weights * weightedTokens / tokens(matched.get(i));
      matched.get(i).forEach(g -> epochs.put(List.of(g.source(), g.language()), value));
    }
    return new Mixture(epochs);
  }

  /**
   * Refuses what {@link #of} would refuse, before anything is encoded.
   *
   * @param groups what the input holds, sizes in characters
   * @throws IllegalArgumentException when a rule matches no document, naming the groups there are
   */
  static void check(List<MixtureRule> rules, List<Group> groups) {
    matched(rules, groups, "characters");
  }

  /** The groups of each rule: those that no earlier rule takes. */
  private static List<List<Group>> matched(
      List<MixtureRule> rules, List<Group> groups, String unit) {
    List<List<Group>> matched = new ArrayList<>();
    Set<Group> taken = new HashSet<>();
    for (MixtureRule rule : rules) {
      List<Group> own =
          groups.stream()
              .filter(g -> !taken.contains(g) && rule.matches(g.source(), g.language()))
              .toList();
      if (own.isEmpty()) {
        throw new IllegalArgumentException(unmatched(rule, groups, unit));
      }
      taken.addAll(own);
      matched.add(own);
    }
    return matched;
  }

  private static double tokens(List<Group> groups) {
    return groups.stream().mapToLong(Group::size).sum();
  }

  private static String unmatched(MixtureRule rule, List<Group> groups, String unit) {
    boolean named = groups.stream().anyMatch(g -> rule.matches(g.source(), g.language()));
    String why =
        named
            ? "earlier rules take all of its training documents"
            : "no training document is of it";
    return "tokenize.mixture: %s: %s. There are %s"
        .formatted(
            rule,
            why,
            groups.stream()
                .map(
                    g ->
                        String.format(
                            Locale.ROOT,
                            "%s%s (%,d %s)",
                            g.source(),
                            g.language().isEmpty()
                                ? ", language not identified"
                                : " " + g.language(),
                            g.size(),
                            unit))
                .collect(Collectors.joining(", ")));
  }

  /** How often a document of a group is to be written. */
  double epochs(String source, String language) {
    return epochs.getOrDefault(List.of(source, language), 1.0);
  }

  /**
   * How often one document is written.
   *
   * @param content hash of its text
   */
  int copies(String source, String language, long content, long seed) {
    double wanted = epochs(source, language);
    int whole = (int) wanted;
    long hash = LongHashFunction.xx3(seed).hashChars(SALT + content);
    return (hash >>> 11) * 0x1p-53 < wanted - whole ? whole + 1 : whole;
  }
}
