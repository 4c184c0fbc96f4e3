package caravan.pipeline.dedup;

import caravan.pipeline.Json;
import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.Serializable;
import java.util.List;

/**
 * A stretch of a document's text that other documents have too, as {@code meta} tells it. Positions
 * are code points of the text as the step got it, so before anything was removed.
 *
 * @param start of the stretch
 * @param end after it
 * @param documents that have it; where parts of it are in different numbers of documents, the most
 * @param occurrences in all of them, counted as above
 * @param first id of the document of its first occurrence; this one's own where it is the first
 * @param firstStart where it is there
 * @param removed code points of it that were removed
 * @param text its first 100 code points
 */
public record Repeat(
    int start,
    int end,
    long documents,
    long occurrences,
    String first,
    int firstStart,
    int removed,
    String text)
    implements Serializable {
  /** Key of {@code meta} that holds a JSON array of the lines or paragraphs. */
  public static final String LINES_META = "repeated_lines";

  /** Key of {@code meta} that holds a JSON array of the passages. */
  public static final String PASSAGES_META = "repeated_passages";

  static final int SHOWN_CODE_POINTS = 100;

  /**
   * The repeats that a value of {@code meta} holds.
   *
   * @throws IllegalArgumentException when it is no such value
   */
  public static List<Repeat> ofJson(String json) {
    try {
      return List.of(Json.MAPPER.readValue(json, Repeat[].class));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(
          "meta of repeated text: not as this program writes it: " + e.getOriginalMessage(), e);
    }
  }
}
