package caravan.pipeline.dedup;

import java.io.Serializable;

/**
 * A file of a {@link DedupIndex}: entries sorted by {@link Entry#ORDER}, in blocks, of which each
 * can be read alone. {@link IndexFileWriter} says how it lies in bytes.
 *
 * @param kind what its entries are
 * @param path relative to the index
 * @param bytes size
 * @param sha256 of the file's bytes, in hexadecimal
 * @param entries how many
 * @param first {@link Entry#first} of the first one
 * @param last {@link Entry#first} of the last one
 */
record IndexFile(
    Kind kind, String path, long bytes, String sha256, long entries, long first, long last)
    implements Serializable {

  /** What the entries of a file are; each kind stores no more than it has. */
  enum Kind {
    /** (bucket, key): which texts fall into an LSH bucket. */
    POSTINGS(LshBands.ZERO_BITS, true, false),
    /** (key, the key of the text that stands for it, {@link IndexedText}). */
    TEXTS(0, true, true),
    /** (key, 0, {@link ShingleSet}). */
    SETS(0, false, true);

    /** Lowest bits of {@link Entry#first} that are always zero. */
    final int zeroBits;

    final boolean hasSecond;
    final boolean hasPayload;

    Kind(int zeroBits, boolean hasSecond, boolean hasPayload) {
      this.zeroBits = zeroBits;
      this.hasSecond = hasSecond;
      this.hasPayload = hasPayload;
    }

    /** The file's first bytes after its magic number, and its directory. */
    String label() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }
}
