package caravan.pipeline.clean;

import caravan.pipeline.text.Drop;
import caravan.pipeline.text.Judge;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * All that cleaning does to one document and all that it measures there. The rules after the one
 * that drops it are told too; the outcome is the first drop.
 *
 * @param language as identified
 * @param steps in order
 * @param outcome what {@link Cleaner#clean} makes of the document
 */
public record Story(String language, List<Step> steps, Cleaner.Cleaned outcome) {

  /** What one rule did; its name is that of the configuration. */
  public sealed interface Step permits Edit, Verdict {
    String rule();
  }

  /**
   * An edit, also where it changed nothing.
   *
   * @param removed code points taken away, per edit reason
   */
  public record Edit(String rule, String before, String after, Map<String, Long> removed)
      implements Step {}

  /**
   * What a filter found.
   *
   * @param measures every value that it measured, with unit and limit
   * @param drop why it would drop the document; empty when it would keep it
   */
  public record Verdict(String rule, List<Judge.Measure> measures, Optional<Drop> drop)
      implements Step {}
}
