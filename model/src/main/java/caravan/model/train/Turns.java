package caravan.model.train;

import caravan.model.ParameterRanges;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Which parameters a step moves: always the same, or one part after the other for some steps each,
 * in a circle (block coordinate descent, as BAdam: Luo et al., arXiv 2404.02827). An optimizer
 * holds state for one part at a time and forgets it when the turn ends.
 *
 * @param parts in the order of their turns
 * @param steps of a turn; 0 where there is one part only
 */
public record Turns(List<ParameterRanges> parts, int steps) implements Serializable {
  /** Every step moves every parameter. */
  public static final Turns ALL = always(ParameterRanges.ALL);

  public Turns {
    parts = List.copyOf(parts);
    if (parts.isEmpty() || steps < 0 || steps == 0 && parts.size() > 1) {
      throw new IllegalArgumentException(
          "turns: got " + parts.size() + " parts and " + steps + " steps for each");
    }
  }

  /** Every step moves this part. */
  public static Turns always(ParameterRanges part) {
    return new Turns(List.of(part), 0);
  }

  /** What a step moves. */
  public ParameterRanges at(int iteration) {
    return steps == 0 ? parts.get(0) : parts.get(iteration / steps % parts.size());
  }

  /** What no step moves, of a vector of so many floats. */
  ParameterRanges frozen(long parameters) {
    List<long[]> moved = new ArrayList<>();
    for (ParameterRanges part : parts) {
      for (int range = 0; range < part.count(); range++) {
        moved.add(new long[] {part.from(range), Math.min(parameters, part.to(range))});
      }
    }
    moved.sort(Comparator.comparingLong(range -> range[0]));
    moved.add(new long[] {parameters, parameters});
    ParameterRanges frozen = new ParameterRanges(List.of());
    long end = 0;
    for (long[] range : moved) {
      frozen = range[0] > end ? frozen.plus(end, range[0]) : frozen;
      end = range[1];
    }
    return frozen;
  }

  /** Steps of its turn before this one. */
  int stepsOfTurn(int iteration) {
    return steps == 0 ? iteration : iteration % steps;
  }

  /** Whether the state of the step before is another part's. */
  boolean begins(int iteration) {
    return steps > 0 && iteration % steps == 0;
  }

  /** Floats of the largest part, of a vector of so many. */
  long longest(long parameters) {
    return parts.stream()
        .mapToLong(part -> part.within(0, parameters).length())
        .max()
        .orElseThrow();
  }
}
