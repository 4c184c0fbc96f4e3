package caravan.pipeline.wikitext;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What remains of templates in the text: {@link WikitextConfig#templates}. */
final class Templates {
  private static final Pattern ARGUMENT = Pattern.compile("\\$([1-9])");

  /** Longer names are no names. */
  private static final int LONGEST_NAME = 100;

  /** Prefix of the template namespace. */
  private static final Pattern NAMESPACE = Pattern.compile("^(?:template|模板|样板|樣板)\\s?:\\s?");

  private final Map<String, String> patterns;
  private final TreeMap<String, String> prefixes = new TreeMap<>();

  Templates(Map<String, String> patterns) {
    this.patterns = patterns;
    patterns.forEach(
        (name, pattern) -> {
          if (name.endsWith("*")) {
            prefixes.put(name.substring(0, name.length() - 1), pattern);
          }
        });
  }

  /** The name of the template whose content begins at {@code start}: lower case, no underscores. */
  static String name(String text, int start, int end) {
    int i = start;
    int limit = Math.min(end, start + LONGEST_NAME);
    while (i < limit && "|{}<".indexOf(text.charAt(i)) < 0) {
      i++;
    }
    String name = text.substring(start, i).replace('_', ' ').strip().toLowerCase(Locale.ROOT);
    return NAMESPACE.matcher(name).replaceFirst("");
  }

  /** What remains of a template of this name; null when nothing does. */
  String pattern(String name) {
    String pattern = patterns.get(name);
    if (pattern != null) {
      return pattern;
    }
    Map.Entry<String, String> prefix = prefixes.floorEntry(name);
    return prefix != null && name.startsWith(prefix.getKey()) ? prefix.getValue() : null;
  }

  /** The pattern with its arguments; those that are missing are empty. */
  static String fill(String pattern, List<String> arguments) {
    Matcher reference = ARGUMENT.matcher(pattern);
    StringBuilder filled = new StringBuilder();
    while (reference.find()) {
      int index = reference.group(1).charAt(0) - '1';
      String argument = index < arguments.size() ? arguments.get(index).strip() : "";
      reference.appendReplacement(filled, Matcher.quoteReplacement(argument));
    }
    return reference.appendTail(filled).toString();
  }
}
