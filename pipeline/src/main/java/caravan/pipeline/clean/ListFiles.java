package caravan.pipeline.clean;

import caravan.pipeline.Json;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * Files of list entries that a configuration names, read once, on the driver: UTF-8, an entry a
 * line; blank lines and those that start with {@code #} are none. What cleaning does depends on
 * what they hold, so {@link #digests} belongs to what decides whether an output is up to date.
 */
public final class ListFiles implements Serializable {
  /** For configurations that name no file. */
  public static final ListFiles NONE = new ListFiles(new TreeMap<>());

  private final TreeMap<String, String> contents;

  private ListFiles(TreeMap<String, String> contents) {
    this.contents = contents;
  }

  /**
   * Reads every file that a rule in use names.
   *
   * @param read the bytes at a path; its errors pass through
   */
  public static ListFiles read(CleanConfig config, Function<String, byte[]> read) {
    TreeMap<String, String> contents = new TreeMap<>();
    for (String language : config.keepLanguages()) {
      for (String path : config.rules(language).listFiles()) {
        contents.computeIfAbsent(path, p -> new String(read.apply(p), StandardCharsets.UTF_8));
      }
    }
    return new ListFiles(contents);
  }

  /** SHA-256 of each file's content, by path. */
  public Map<String, String> digests() {
    Map<String, String> digests = new TreeMap<>();
    contents.forEach(
        (path, content) ->
            digests.put(
                path,
                HexFormat.of()
                    .formatHex(Json.sha256().digest(content.getBytes(StandardCharsets.UTF_8)))));
    return digests;
  }

  /**
   * @throws IllegalArgumentException for a file that was not read, or without any entry
   */
  List<String> entries(String path) {
    String content = contents.get(path);
    if (content == null) {
      throw new IllegalArgumentException(
          "blocklist " + path + ": not read; the cleaner needs ListFiles.read of its settings");
    }
    List<String> entries =
        content
            .lines()
            .map(line -> line.startsWith("\uFEFF") ? line.substring(1) : line)
            .map(String::strip)
            .filter(line -> !line.isEmpty() && !line.startsWith("#"))
            .toList();
    if (entries.isEmpty()) {
      throw new IllegalArgumentException(
          "blocklist " + path + ": no entry in it, wanted one a line; # starts a comment");
    }
    return entries;
  }
}
