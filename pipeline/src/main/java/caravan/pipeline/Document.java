package caravan.pipeline;

import java.io.Serializable;
import java.util.Map;
import java.util.TreeMap;

/**
 * One document of a corpus.
 *
 * @param id the record's own id, or a hash of source name, path relative to the input root, and
 *     position
 * @param source name of the corpus it came from
 * @param path file it was read from, relative to the input root
 * @param language {@code zh}, {@code en}, {@code other}, or empty before identification
 * @param text the text
 * @param meta everything else the record carried
 */
public record Document(
    String id, String source, String path, String language, String text, Map<String, String> meta)
    implements Serializable {
  public Document withText(String newText) {
    return new Document(id, source, path, language, newText, meta);
  }

  public Document withLanguage(String newLanguage) {
    return new Document(id, source, path, newLanguage, text, meta);
  }

  /** The same with one entry of {@link #meta} set. */
  public Document withMeta(String key, String value) {
    Map<String, String> newMeta = new TreeMap<>(meta);
    newMeta.put(key, value);
    return new Document(id, source, path, language, text, newMeta);
  }

  /** The same without an entry of {@link #meta}. */
  public Document withoutMeta(String key) {
    if (!meta.containsKey(key)) {
      return this;
    }
    Map<String, String> newMeta = new TreeMap<>(meta);
    newMeta.remove(key);
    return new Document(id, source, path, language, text, newMeta);
  }
}
