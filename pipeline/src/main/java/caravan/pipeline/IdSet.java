package caravan.pipeline;

import java.io.Serializable;
import java.util.Arrays;
import java.util.Collection;
import java.util.stream.LongStream;
import net.openhft.hashing.LongHashFunction;

/**
 * Document ids, of which nothing but the xxh3-64 hash is kept: what is to be forgotten can be known
 * again without being kept. An id that is not in a set of n is taken for one that is with a
 * probability of n/2^64.
 *
 * @param hashes ascending, each once
 */
public record IdSet(long[] hashes) implements Serializable {
  private static final LongHashFunction XXH3 = LongHashFunction.xx3();

  /** No id. */
  public static final IdSet NONE = new IdSet(new long[0]);

  public static IdSet of(Collection<String> ids) {
    return new IdSet(ids.stream().mapToLong(XXH3::hashChars).sorted().distinct().toArray());
  }

  public boolean contains(String id) {
    return hashes.length > 0 && Arrays.binarySearch(hashes, XXH3.hashChars(id)) >= 0;
  }

  public IdSet with(IdSet more) {
    return new IdSet(
        LongStream.concat(Arrays.stream(hashes), Arrays.stream(more.hashes))
            .sorted()
            .distinct()
            .toArray());
  }

  public int size() {
    return hashes.length;
  }

  public boolean isEmpty() {
    return hashes.length == 0;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof IdSet set && Arrays.equals(hashes, set.hashes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(hashes);
  }

  @Override
  public String toString() {
    return hashes.length + " ids";
  }
}
