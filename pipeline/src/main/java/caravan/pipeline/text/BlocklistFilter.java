package caravan.pipeline.text;

import java.util.Optional;

/**
 * Drops documents with blocked words in their text, or whose page is blocked.
 *
 * @param words blocked words and phrases: Chinese ones anywhere, others as whole words, whatever
 *     their case
 * @param maxWords occurrences that are tolerated
 * @param hosts blocked domains with their subdomains, and single pages
 * @param urlField field of the record that holds the page's address; records without it pass
 */
public record BlocklistFilter(Phrases words, int maxWords, BlockedHosts hosts, String urlField)
    implements TextFilter {
  public BlocklistFilter {
    Rule.checkNotNegative("max-words", maxWords);
  }

  @Override
  public boolean measure(Passage passage, Judge judge) {
    String url = passage.meta().getOrDefault(urlField, "");
    Optional<String> blocked = hosts.blocking(url);
    String what = blocked.map(entry -> "blocked addresses (" + entry + ")").orElse("addresses");
    return judge.atMost("blocked_url", blocked.isPresent() ? 1 : 0, 0, what)
        && judge.atMost("blocked_words", words.count(passage.text()), maxWords, "blocked words");
  }
}
