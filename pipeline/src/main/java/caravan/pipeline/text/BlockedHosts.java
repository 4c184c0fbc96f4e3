package caravan.pipeline.text;

import java.io.Serializable;
import java.util.Collection;
import java.util.HashSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * Web addresses to keep out. A domain blocks its subdomains too; an entry with a path blocks that
 * page alone, with or without {@code http://}, {@code www.}, port, query and final slash.
 */
public final class BlockedHosts implements Serializable {
  private final Set<String> domains;
  private final Set<String> pages = new HashSet<>();

  public BlockedHosts(Collection<String> domains, Collection<String> urls) {
    this.domains = new HashSet<>();
    domains.forEach(domain -> this.domains.add(host(bare(domain))));
    urls.forEach(url -> pages.add(bare(url)));
  }

  /** The entry that blocks an address. */
  Optional<String> blocking(String url) {
    if (url.isEmpty()) {
      return Optional.empty();
    }
    String page = bare(url);
    if (pages.contains(page)) {
      return Optional.of(page);
    }
    String host = host(page);
    for (int at = 0; at >= 0; ) {
      String domain = host.substring(at);
      if (domains.contains(domain)) {
        return Optional.of(domain);
      }
      int dot = host.indexOf('.', at);
      at = dot < 0 ? -1 : dot + 1;
    }
    return Optional.empty();
  }

  private static String bare(String url) {
    String bare = url.strip();
    int scheme = bare.indexOf("://");
    bare = scheme < 0 ? bare : bare.substring(scheme + 3);
    int end = 0;
    while (end < bare.length() && "?#".indexOf(bare.charAt(end)) < 0) {
      end++;
    }
    bare = bare.substring(0, end);
    int slash = bare.indexOf('/');
    String host = (slash < 0 ? bare : bare.substring(0, slash)).toLowerCase(Locale.ROOT);
    host = host.substring(host.indexOf('@') + 1);
    int port = host.indexOf(':');
    host = port < 0 ? host : host.substring(0, port);
    host = host.startsWith("www.") ? host.substring(4) : host;
    host = host.endsWith(".") ? host.substring(0, host.length() - 1) : host;
    String path = slash < 0 ? "" : bare.substring(slash);
    return host + (path.endsWith("/") ? path.substring(0, path.length() - 1) : path);
  }

  private static String host(String bare) {
    int slash = bare.indexOf('/');
    return slash < 0 ? bare : bare.substring(0, slash);
  }
}
