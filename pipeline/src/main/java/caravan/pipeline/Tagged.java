package caravan.pipeline;

import java.io.Serializable;
import java.util.Map;

/**
 * A document and its verdict: what a stage says of each document that it gets.
 *
 * @param document as it is written, edits done
 * @param reason {@link Documents#KEPT} or a drop reason such as {@code too_short}
 * @param detail why in words ({@code 12 code points, minimum 50}); empty when kept
 * @param inputCharacters the document's length in code points before the stage edited it
 * @param edits code points that edits took away, per edit reason; negative where one added some
 */
public record Tagged(
    Document document, String reason, String detail, long inputCharacters, Map<String, Long> edits)
    implements Serializable {}
