package caravan.pipeline.read;

import caravan.pipeline.DocumentIterator;
import caravan.pipeline.SourceFile;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import java.io.IOException;
import java.io.Serializable;

/** How a format's files are shared between tasks. */
interface SplitFormat extends Serializable {
  /** Where a file may be cut. */
  enum Cut {
    /** Anywhere: a reader finds the first record that starts in its range of bytes. */
    BYTES,
    /** Every task reads all of it and takes each n-th record. */
    SLICES,
    /** Nowhere. */
    NONE
  }

  Cut cut(SourceFile file);

  /** The documents of a split, as {@link Split} defines it; unreadable records among them. */
  DocumentIterator open(Split split, Storage storage) throws IOException;
}
