package caravan.pipeline.dedup;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The document for which a duplicate was dropped, as the duplicate's detail names it.
 *
 * @param id of the document that stayed
 * @param similarity exact Jaccard similarity of the two, 0 to 1, three decimals
 */
public record Twin(String id, double similarity) {
  /** How {@link DedupStage} writes it. */
  private static final Pattern DETAIL =
      Pattern.compile("(?:near duplicate of|same text as) (.*), Jaccard ([0-9.]+)", Pattern.DOTALL);

  /** The twin that a detail names; empty when it names none. */
  public static Optional<Twin> of(String detail) {
    Matcher matcher = DETAIL.matcher(detail);
    return matcher.matches()
        ? Optional.of(new Twin(matcher.group(1), Double.parseDouble(matcher.group(2))))
        : Optional.empty();
  }
}
