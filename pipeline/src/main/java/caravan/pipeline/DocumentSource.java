package caravan.pipeline;

import java.io.IOException;
import java.io.Serializable;
import java.util.List;

/** Where a {@link DocumentStage} gets its documents: splits of files, each read by one task. */
public interface DocumentSource extends Serializable {
  /** The files to read; known on the driver only. */
  List<SourceFile> files();

  /**
   * Splits that together hold every document once, but for those in {@code done}.
   *
   * @param done splits that need not be read, which do not overlap; others of the same files may
   *     have been made for other {@code bytes}
   * @param bytes wanted size of a split, as stored
   */
  List<Split> splits(List<Split> done, long bytes);

  /** The documents of a split, unreadable records ({@link Documents#unreadable}) among them. */
  DocumentIterator open(Split split, Storage storage) throws IOException;
}
