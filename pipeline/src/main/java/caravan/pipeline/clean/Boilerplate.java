package caravan.pipeline.clean;

import caravan.pipeline.Document;
import caravan.pipeline.text.Rule;
import java.io.Serializable;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;

/**
 * Settings of the {@link caravan.pipeline.text.BoilerplateLines}, which are learned from the input
 * before cleaning begins.
 *
 * @param enabled whether they are
 * @param urlField field of the record that holds its address; its host is the document's site
 * @param otherwise site of documents without an address
 * @param minDocuments different documents of the site that a line must be in
 * @param minShare share of the site's different documents that a line must be in
 * @param minCharacters code points below which a line stays
 * @param maxLines most lines to learn, of all sites
 */
public record Boilerplate(
    boolean enabled,
    String urlField,
    Otherwise otherwise,
    int minDocuments,
    double minShare,
    int minCharacters,
    int maxLines)
    implements Serializable {
  /** Name of the rule. */
  public static final String RULE = "boilerplate-lines";

  /** What is a document's site when it has no address. */
  public enum Otherwise {
    /** It has none, and keeps its lines. */
    NONE,
    SOURCE,
    /** Of its file, with the source. */
    DIRECTORY
  }

  public Boilerplate {
    if (minDocuments < 2) {
      throw new IllegalArgumentException(
          "clean.boilerplate.min-documents: got " + minDocuments + ", wanted at least 2");
    }
    if (maxLines < 1 || maxLines > 100_000_000) {
      throw new IllegalArgumentException(
          "clean.boilerplate.max-lines: got " + maxLines + ", wanted 1 to 100000000");
    }
    Rule.checkFraction("clean.boilerplate.min-share", minShare);
    Rule.checkNotNegative("clean.boilerplate.min-characters", minCharacters);
  }

  /** The document's site; empty when it has none. */
  String site(Document document) {
    String host = host(document.meta().getOrDefault(urlField, ""));
    if (!host.isEmpty()) {
      return host;
    }
    return switch (otherwise) {
      case NONE -> "";
      case SOURCE -> document.source();
      case DIRECTORY -> {
        String path = document.path();
        yield document.source() + "/" + path.substring(0, path.lastIndexOf('/') + 1);
      }
    };
  }

  private static String host(String url) {
    try {
      String host = url.isEmpty() ? null : new URI(url).getHost();
      return host == null ? "" : host.toLowerCase(Locale.ROOT).replaceFirst("^www\\.", "");
    } catch (URISyntaxException e) {
      return hostOfOddAddress(url);
    }
  }

  /** Crawled addresses often hold characters that a URI must not. */
  private static String hostOfOddAddress(String url) {
    int start = url.indexOf("://") + 3;
    int end = start;
    while (end < url.length() && "/?#: ".indexOf(url.charAt(end)) < 0) {
      end++;
    }
    return start < 3
        ? ""
        : url.substring(start, end).toLowerCase(Locale.ROOT).replaceFirst("^www\\.", "");
  }
}
