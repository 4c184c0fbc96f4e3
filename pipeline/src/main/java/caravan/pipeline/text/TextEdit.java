package caravan.pipeline.text;

import java.util.Map;

/** A rule that takes something out of a text. */
public sealed interface TextEdit extends Rule permits LineRule, BoilerplateLines, CitationMarks {

  /**
   * @param text what is left
   * @param removed code points taken away per edit reason; edits without any are absent
   */
  record Edited(String text, Map<String, Long> removed) {}

  Edited edit(Passage passage);
}
