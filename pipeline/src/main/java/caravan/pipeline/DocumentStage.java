package caravan.pipeline;

import java.io.Serializable;

/**
 * A step that looks at one document at a time, so that its output grows with its input: only new
 * and changed files are processed, and a killed run goes on where it stopped. Deterministic in
 * (document, configuration). Steps that compare documents are a {@link Stage}.
 */
public interface DocumentStage extends Serializable {
  /** The stage's name in reports, such as {@code clean}. */
  String name();

  /** The document with its verdict. Unreadable records never get here. */
  Tagged tag(Document document);
}
