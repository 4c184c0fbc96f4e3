package caravan.model;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * A part of a parameter vector: ranges of it, ascending and apart.
 *
 * @param bounds first float and one past the last of each range, one after the other; {@link #ALL}
 *     has one range without an end
 */
public record ParameterRanges(List<Long> bounds) implements Serializable {
  /** The whole vector, however long. */
  public static final ParameterRanges ALL = new ParameterRanges(List.of(0L, Long.MAX_VALUE));

  public ParameterRanges {
    bounds = List.copyOf(bounds);
    for (int i = 1; i < bounds.size(); i++) {
      if (bounds.get(i) <= bounds.get(i - 1)) {
        throw new IllegalArgumentException("ranges: got " + bounds + ", wanted ascending bounds");
      }
    }
  }

  /** Number of ranges. */
  public int count() {
    return bounds.size() / 2;
  }

  public long from(int range) {
    return bounds.get(2 * range);
  }

  /** One past the range's last float. */
  public long to(int range) {
    return bounds.get(2 * range + 1);
  }

  /** Floats in all ranges. */
  public long length() {
    long length = 0;
    for (int range = 0; range < count(); range++) {
      length += to(range) - from(range);
    }
    return length;
  }

  /** The part of this that lies in [from, to). */
  public ParameterRanges within(long from, long to) {
    List<Long> inside = new ArrayList<>();
    for (int range = 0; range < count(); range++) {
      long start = Math.max(from, from(range));
      long end = Math.min(to, to(range));
      if (start < end) {
        inside.add(start);
        inside.add(end);
      }
    }
    return new ParameterRanges(inside);
  }

  /** This and one more range behind it, which may touch the last. */
  public ParameterRanges plus(long from, long to) {
    List<Long> more = new ArrayList<>(bounds);
    if (!more.isEmpty() && more.get(more.size() - 1) == from) {
      more.set(more.size() - 1, to);
    } else {
      more.add(from);
      more.add(to);
    }
    return new ParameterRanges(more);
  }
}
