package caravan.pipeline.wikitext;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The markup of MediaWiki's LanguageConverter, {@code -{flags|zh-hans:计算机;zh-hant:電腦}-}, in one
 * variant. Rules that are only declared ({@code H}, {@code T}, {@code -}) show nothing.
 */
final class Variants {
  /**
   * Which variants stand in for one that a rule does not give, as MediaWiki's ZhConverter has it.
   */
  private static final Map<String, List<String>> FALLBACKS =
      Map.of(
          "zh-hans", List.of("zh-cn", "zh-sg", "zh-my", "zh"),
          "zh-hant", List.of("zh-tw", "zh-hk", "zh-mo", "zh"),
          "zh-cn", List.of("zh-hans", "zh-sg", "zh-my", "zh"),
          "zh-sg", List.of("zh-my", "zh-hans", "zh-cn", "zh"),
          "zh-my", List.of("zh-sg", "zh-hans", "zh-cn", "zh"),
          "zh-tw", List.of("zh-hant", "zh-hk", "zh-mo", "zh"),
          "zh-hk", List.of("zh-mo", "zh-hant", "zh-tw", "zh"),
          "zh-mo", List.of("zh-hk", "zh-hant", "zh-tw", "zh"));

  /** A rule begins with a variant's name and a colon, after the start, a semicolon or an arrow. */
  private static final Pattern RULE =
      Pattern.compile(
          "(?:^|;|=>)\\s{0,20}(zh(?:-[a-z]{2,4})?)\\s{0,20}:", Pattern.CASE_INSENSITIVE);

  private static final Pattern FLAGS =
      Pattern.compile(
          "\\s{0,20}(?:[A-Za-z+-]|zh(?:-[a-z]{2,4})?)(?:\\s{0,20};\\s{0,20}"
              + "(?:[A-Za-z+-]|zh(?:-[a-z]{2,4})?)){0,10}\\s{0,20}",
          Pattern.CASE_INSENSITIVE);

  private Variants() {}

  static boolean isKnown(String variant) {
    return FALLBACKS.containsKey(variant);
  }

  /** What readers of the variant see. */
  static String resolve(String content, String variant) {
    int bar = content.indexOf('|');
    String body = content;
    if (bar == 0) {
      body = content.substring(1);
    } else if (bar > 0 && FLAGS.matcher(content.substring(0, bar)).matches()) {
      String flags = content.substring(0, bar).toUpperCase(Locale.ROOT);
      body = content.substring(bar + 1);
      if (List.of(flags.split("\\s*;\\s*")).stream().anyMatch(f -> "HT-".contains(f.strip()))) {
        return "";
      }
      if (flags.strip().equals("R")) {
        return body;
      }
    }
    Map<String, String> rules = rules(body);
    if (rules.isEmpty()) {
      return body;
    }
    if (rules.containsKey(variant)) {
      return rules.get(variant);
    }
    for (String fallback : FALLBACKS.getOrDefault(variant, List.of())) {
      if (rules.containsKey(fallback)) {
        return rules.get(fallback);
      }
    }
    return rules.values().iterator().next();
  }

  private static Map<String, String> rules(String body) {
    Map<String, String> rules = new LinkedHashMap<>();
    List<int[]> bounds = new ArrayList<>();
    List<String> names = new ArrayList<>();
    Matcher rule = RULE.matcher(body);
    while (rule.find()) {
      names.add(rule.group(1).toLowerCase(Locale.ROOT));
      bounds.add(new int[] {rule.start(), rule.end()});
    }
    if (bounds.isEmpty()
        || !body.substring(0, bounds.get(0)[0]).isBlank() && !unidirectional(body)) {
      return Map.of();
    }
    for (int i = 0; i < names.size(); i++) {
      int end = i + 1 < bounds.size() ? bounds.get(i + 1)[0] : body.length();
      String value = body.substring(bounds.get(i)[1], end).strip();
      if (i + 1 == bounds.size() && value.endsWith(";")) {
        value = value.substring(0, value.length() - 1).strip();
      }
      rules.putIfAbsent(names.get(i), value);
    }
    return rules;
  }

  private static boolean unidirectional(String body) {
    return body.contains("=>");
  }
}
