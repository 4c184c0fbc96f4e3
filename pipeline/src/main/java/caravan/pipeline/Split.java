package caravan.pipeline;

import java.io.Serializable;

/**
 * What one task reads of one file: the records that start in [{@code start}, {@code end}) of its
 * stored bytes; and where a file cannot be entered in the middle ({@code slices} &gt; 1), of all
 * its records those whose number modulo {@code slices} is {@code slice}.
 *
 * @param start bytes before the split
 * @param end bytes before what follows it
 * @param slice from 0
 * @param slices 1: every record
 */
public record Split(SourceFile file, long start, long end, int slice, int slices)
    implements Serializable {

  /** All of a file. */
  public static Split whole(SourceFile file) {
    return new Split(file, 0, file.size(), 0, 1);
  }

  /** Its share of the file's stored bytes. */
  public long bytes() {
    return (end - start) / slices;
  }
}
