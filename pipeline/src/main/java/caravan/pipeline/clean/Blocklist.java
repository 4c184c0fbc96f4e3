package caravan.pipeline.clean;

import caravan.pipeline.text.BlockedHosts;
import caravan.pipeline.text.BlocklistFilter;
import caravan.pipeline.text.Phrases;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Settings of the {@link BlocklistFilter}: entries given directly, and files of them, which {@link
 * ListFiles} reads.
 *
 * @param words blocked words and phrases
 * @param wordFiles files of more
 * @param maxWords occurrences that a document may have
 * @param domainFiles files of blocked domains
 * @param urlFiles files of blocked addresses
 * @param urlField field of the record that holds its address
 */
public record Blocklist(
    List<String> words,
    List<String> wordFiles,
    int maxWords,
    List<String> domains,
    List<String> domainFiles,
    List<String> urls,
    List<String> urlFiles,
    String urlField)
    implements Serializable {
  public Blocklist {
    words = List.copyOf(words);
    wordFiles = List.copyOf(wordFiles);
    domains = List.copyOf(domains);
    domainFiles = List.copyOf(domainFiles);
    urls = List.copyOf(urls);
    urlFiles = List.copyOf(urlFiles);
  }

  /** Paths of all files that it names. */
  List<String> files() {
    return Stream.of(wordFiles, domainFiles, urlFiles).flatMap(List::stream).toList();
  }

  BlocklistFilter filter(ListFiles files) {
    return new BlocklistFilter(
        new Phrases(with(words, wordFiles, files)),
        maxWords,
        new BlockedHosts(with(domains, domainFiles, files), with(urls, urlFiles, files)),
        urlField);
  }

  private static List<String> with(List<String> entries, List<String> paths, ListFiles files) {
    List<String> all = new ArrayList<>(entries);
    paths.forEach(path -> all.addAll(files.entries(path)));
    return all;
  }
}
