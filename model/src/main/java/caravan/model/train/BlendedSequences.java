package caravan.model.train;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Several sources as one, of whose sequences a training gets a share each, whatever their sizes (as
 * Megatron-LM's blended data sets). Its indices are the first source's, then the second's, and so
 * on; how often each is read, {@link #order} tells.
 *
 * @param parts at least 2, with sequences of one length
 */
public record BlendedSequences(List<Part> parts) implements SequenceSource {

  /**
   * One of the sources.
   *
   * @param name for people; no two are equal
   * @param fingerprint identifies its content
   * @param weight its share of the sequences, in any unit that is the same for all
   */
  public record Part(String name, String fingerprint, SequenceSource source, double weight)
      implements Serializable {}

  public BlendedSequences {
    parts = List.copyOf(parts);
    if (parts.stream().map(part -> part.source().sequenceLength()).distinct().count() > 1) {
      throw new IllegalArgumentException("blended sequences: got several lengths, wanted one");
    }
  }

  /** The turns of the parts. */
  BlendCycle cycle() {
    return BlendCycle.of(parts.stream().mapToDouble(Part::weight).toArray());
  }

  /**
   * Which share of a run of positions is read from each part, by name; the same for every worker.
   *
   * @param first position of the run
   */
  Map<String, Double> shares(long first, long positions) {
    BlendCycle cycle = cycle();
    long[] counts = new long[parts.size()];
    for (long position = first; position < first + positions; position++) {
      counts[cycle.sourceAt(position)]++;
    }
    Map<String, Double> shares = new LinkedHashMap<>();
    for (int part = 0; part < counts.length; part++) {
      shares.put(parts.get(part).name(), (double) counts[part] / positions);
    }
    return shares;
  }

  /** What tells this blend from others: each part's content, size and share. */
  List<Map<String, Object>> identity() {
    BlendCycle cycle = cycle();
    List<Map<String, Object>> identity = new ArrayList<>();
    for (int part = 0; part < parts.size(); part++) {
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("data", parts.get(part).fingerprint());
      fields.put("sequences", parts.get(part).source().size());
      fields.put("share", cycle.share(part));
      identity.add(fields);
    }
    return identity;
  }

  /** The indices that are of a part, as the part counts them. */
  public List<Long> within(int part, List<Long> indices) {
    long start = start(part);
    long end = start + parts.get(part).source().size();
    return indices.stream().filter(i -> i >= start && i < end).map(i -> i - start).toList();
  }

  /** Index of a part's first sequence. */
  long start(int part) {
    return parts.subList(0, part).stream().mapToLong(before -> before.source().size()).sum();
  }

  @Override
  public int sequenceLength() {
    return parts.get(0).source().sequenceLength();
  }

  @Override
  public long size() {
    return start(parts.size());
  }

  @Override
  public void read(long index, int[] ids, int[] targets, int at) {
    long within = index;
    for (Part part : parts) {
      if (within < part.source().size()) {
        part.source().read(within, ids, targets, at);
        return;
      }
      within -= part.source().size();
    }
    throw new IllegalArgumentException(
        "sequence %,d: wanted at least 0 and below %,d".formatted(index, size()));
  }

  @Override
  public ReadingOrder order(long seed, int workers) {
    return ordered(source -> source.order(seed, workers));
  }

  @Override
  public ReadingOrder sample(long seed) {
    return ordered(source -> source.sample(seed));
  }

  @Override
  public ReadingOrder first() {
    return ordered(SequenceSource::first);
  }

  private ReadingOrder ordered(Function<SequenceSource, ReadingOrder> within) {
    List<ReadingOrder> orders = parts.stream().map(Part::source).map(within).toList();
    return new Ordered(this, orders);
  }

  /** Each part in an order of its own, by turns. */
  private record Ordered(BlendedSequences blend, List<ReadingOrder> orders)
      implements ReadingOrder {
    @Override
    public long indexAt(int slice, long position) {
      BlendCycle cycle = blend.cycle();
      int part = cycle.sourceAt(position);
      return blend.start(part) + orders.get(part).indexAt(slice, cycle.turnAt(position));
    }
  }
}
