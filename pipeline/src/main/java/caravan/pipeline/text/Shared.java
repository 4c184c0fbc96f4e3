package caravan.pipeline.text;

import java.io.Serializable;

/**
 * Something large that all tasks of a JVM use together. Only the handle travels with a rule: who
 * makes it decides how the content gets there.
 */
public interface Shared<T> extends Serializable {
  T get();
}
