package caravan.pipeline.read;

import caravan.pipeline.DocumentIterator;
import caravan.pipeline.SourceFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;

/** A format whose files are read from start to end. */
interface StreamFormat extends Serializable {
  /**
   * @param in the file's bytes, decompressed; an end too early shows as an {@link IOException} of
   *     its reads, which the caller turns into a broken record
   */
  DocumentIterator open(SourceFile file, InputStream in) throws IOException;

  /** Whether a file is one document: then it is not worth to share one between tasks. */
  default boolean oneDocument() {
    return false;
  }
}
