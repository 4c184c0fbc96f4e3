package caravan.pipeline.shard;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Finds the longest run of ids that a query shares with a stream of ids, while the stream is read
 * once: by the suffix automaton of the query (Blumer et al. 1985, "The smallest automaton
 * recognizing the subwords of a text"), whose states are at most two for each id of the query. A
 * step costs one look-up on average. Not thread-safe.
 */
public final class RunMatcher {
  private static final int NONE = -1;
  private static final int ROOT = 0;

  /** Length of a state's longest run. */
  private final int[] lengths;

  /** The state of the longest shorter ending that is met elsewhere in the query, too. */
  private final int[] links;

  /** Where a state's runs end in the query for the first time. */
  private final int[] ends;

  private final List<Map<Integer, Integer>> edges = new ArrayList<>();

  /** Ids of the query: most of a stream are none. */
  private final BitSet known = new BitSet();

  private int state;
  private int length;
  private int bestLength;
  private long bestEnd;
  private int bestQueryEnd;

  /**
   * @param query at least one id, all ≥ 0
   */
  public RunMatcher(int[] query) {
    lengths = new int[2 * query.length];
    links = new int[2 * query.length];
    ends = new int[2 * query.length];
    addState(0, NONE, 0, new HashMap<>());
    int last = ROOT;
    for (int i = 0; i < query.length; i++) {
      known.set(query[i]);
      last = append(last, query[i], i + 1);
    }
    reset();
  }

  private int addState(int runLength, int link, int end, Map<Integer, Integer> out) {
    int added = edges.size();
    lengths[added] = runLength;
    links[added] = link;
    ends[added] = end;
    edges.add(out);
    return added;
  }

  /** The state of the whole query up to an end, from the state of all before it. */
  private int append(int last, int id, int end) {
    int added = addState(end, ROOT, end, new HashMap<>());
    int from = last;
    while (from != NONE && !edges.get(from).containsKey(id)) {
      edges.get(from).put(id, added);
      from = links[from];
    }
    if (from == NONE) return added;
    int to = edges.get(from).get(id);
    if (lengths[to] == lengths[from] + 1) {
      links[added] = to;
      return added;
    }
    int split = addState(lengths[from] + 1, links[to], ends[to], new HashMap<>(edges.get(to)));
    links[to] = split;
    links[added] = split;
    while (from != NONE && edges.get(from).getOrDefault(id, NONE) == to) {
      edges.get(from).put(id, split);
      from = links[from];
    }
    return added;
  }

  /** Starts a new stream. */
  public void reset() {
    state = ROOT;
    length = 0;
    bestLength = 0;
    bestEnd = 0;
    bestQueryEnd = 0;
  }

  /**
   * The next id of the stream.
   *
   * @param position of the id in the stream
   */
  public void next(int id, long position) {
    if (!known.get(id)) {
      state = ROOT;
      length = 0;
      return;
    }
    Integer to = edges.get(state).get(id);
    while (to == null && state != ROOT) {
      state = links[state];
      length = lengths[state];
      to = edges.get(state).get(id);
    }
    if (to == null) return;
    state = to;
    length++;
    if (length > bestLength) {
      bestLength = length;
      bestEnd = position + 1;
      bestQueryEnd = ends[state];
    }
  }

  /** Ids in the longest shared run since the start of the stream; the first of equal ones. */
  public int bestLength() {
    return bestLength;
  }

  /** Position after that run in the stream. */
  public long bestEnd() {
    return bestEnd;
  }

  /** Position after that run in the query. */
  public int bestQueryEnd() {
    return bestQueryEnd;
  }
}
