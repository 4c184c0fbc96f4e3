package caravan.pipeline.text;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongPredicate;

/**
 * An n-gram language model in backoff form: the probability of a unit is that of the longest known
 * n-gram that ends with it, times the backoff weights of the longer contexts before it. Units are
 * the {@link Words} of a text; a word outside of the vocabulary is spelled, an ASCII letter or
 * digit a unit, and anything else in it is an unknown unit, after which the context is forgotten.
 * {@code KneserNey} makes such models.
 *
 * <p>Perplexity is per word, as spelled words are rare and expensive, not many and cheap.
 */
public final class NgramModel implements Serializable {
  /** Multiplier of the polynomial hashes of n-grams. */
  private static final long BASE = 0x9E3779B97F4A7C15L;

  private static final int MAGIC = 0x4E475231;
  private static final int MAX_ORDER = 8;

  /** e^50: what no readable text comes near. */
  private static final double MAX_NATS_PER_WORD = 50;

  private static final long[] LETTERS = new long[128];

  static {
    for (int c = 0; c < LETTERS.length; c++) {
      LETTERS[c] = Words.mix(0x5DEECE66DL * (c + 1));
    }
  }

  private final NgramTable[] tables;
  private final int unknownCost;

  /** For {@link Builder}. */
  private NgramModel(NgramTable[] tables, int unknownCost) {
    this.tables = tables;
    this.unknownCost = unknownCost;
  }

  /** Takes the n-grams of a model, in any order. */
  public static final class Builder {
    private final NgramTable[] tables;
    private final int unknownCost;

    /**
     * @param unknownCost −ln of an unknown unit's probability without context
     * @param sizes number of n-grams per order, from 1
     */
    public Builder(double unknownCost, List<Integer> sizes) {
      this.unknownCost = (int) Math.round(unknownCost / NgramTable.BACKOFF_STEP);
      this.tables = sizes.stream().map(NgramTable::ofSize).toArray(NgramTable[]::new);
    }

    /**
     * @param hash {@link NgramModel#extend} of its units
     * @param cost −ln of the last unit's probability after the others
     * @param backoff −ln of the weight of shorter contexts after this n-gram
     */
    public void put(int order, long hash, double cost, double backoff) {
      tables[order - 1].put(hash, cost, backoff);
    }

    public NgramModel build() {
      return new NgramModel(tables, unknownCost);
    }
  }

  /** Hash of an n-gram with one more unit; 0 is the hash of none. */
  public static long extend(long ngram, long unit) {
    return ngram * BASE + unit;
  }

  /** Units of the alphabet that spells words outside of the vocabulary. */
  public static long[] alphabet() {
    return "abcdefghijklmnopqrstuvwxyz0123456789".chars().mapToLong(c -> LETTERS[c]).toArray();
  }

  /** What a text's units are given to. */
  public interface UnitSink {
    /**
     * @param unit its hash, or 0 for what is neither in the vocabulary nor in the alphabet
     */
    void unit(long unit);
  }

  /** Gives the units of a text to a sink, in order. */
  public static void units(Words words, LongPredicate vocabulary, UnitSink sink) {
    for (int i = 0; i < words.count(); i++) {
      long hash = words.hash(i);
      if (vocabulary.test(hash)) {
        sink.unit(hash);
      } else {
        spell(words, i, sink);
      }
    }
  }

  private static void spell(Words words, int word, UnitSink sink) {
    String text = words.text();
    for (int at = words.start(word); at < words.end(word); ) {
      int c = text.codePointAt(at);
      at += Character.charCount(c);
      c = c >= 'A' && c <= 'Z' ? c + 32 : c;
      sink.unit(c < 0x80 ? LETTERS[c] : 0);
    }
  }

  /** Longest n-grams, in units. */
  public int order() {
    return tables.length;
  }

  /** Number of n-grams of each order, from 1. */
  public List<Integer> sizes() {
    return Arrays.stream(tables).map(NgramTable::size).toList();
  }

  /** The text's perplexity per word; NaN when it has no word. */
  public double perplexity(Words words) {
    Scoring scoring = new Scoring(Math.min(Scoring.BLOCK, words.wordCharacters()));
    units(words, hash -> tables[0].find(hash) != 0, scoring);
    scoring.score();
    double nats = scoring.cost * NgramTable.BACKOFF_STEP / words.count();
    return words.count() == 0 ? Double.NaN : StrictMath.exp(Math.min(nats, MAX_NATS_PER_WORD));
  }

  /** −ln of the probability of a unit after others; 0 stands for an unknown one. */
  public double cost(long[] context, long unit) {
    Scoring scoring = new Scoring(context.length + 1);
    for (long before : context) {
      scoring.unit(before);
    }
    scoring.score();
    long before = scoring.cost;
    scoring.unit(unit);
    scoring.score();
    return (scoring.cost - before) * NgramTable.BACKOFF_STEP;
  }

  /**
   * Sums up costs block by block. Entries are looked up order by order for a whole block, so that
   * the processor waits for many of them at once, and only where the n-gram without its first unit
   * and the one without its last are known.
   */
  private final class Scoring implements UnitSink {
    static final int BLOCK = 1024;

    private final int order = tables.length;
    private final int capacity;
    private final long[] prefix;
    private final boolean[] known;
    private final long[][] entries;

    /** Units that the block begins with whose costs are counted already. */
    private int context;

    private int size;

    /** In {@link NgramTable#BACKOFF_STEP}s. */
    long cost;

    Scoring(int units) {
      capacity = units + order;
      prefix = new long[capacity + 1];
      known = new boolean[capacity];
      entries = new long[order][capacity];
    }

    @Override
    public void unit(long unit) {
      if (size == capacity) {
        score();
      }
      known[size] = unit != 0;
      prefix[size + 1] = extend(prefix[size], unit);
      size++;
    }

    /** Counts the costs of the block's units, and keeps the last of them as context. */
    void score() {
      lookUp();
      for (int i = context; i < size; i++) {
        cost += cost(i);
      }
      int keep = Math.min(order - 1, size);
      for (int i = 0; i < keep; i++) {
        int from = size - keep + i;
        known[i] = known[from];
        prefix[i + 1] = extend(prefix[i], prefix[from + 1] - prefix[from] * BASE);
      }
      size = keep;
      context = keep;
    }

    private void lookUp() {
      long power = BASE;
      for (int i = 0; i < size; i++) {
        entries[0][i] = known[i] ? tables[0].find(prefix[i + 1] - prefix[i] * BASE) : 0;
      }
      for (int k = 1; k < order; k++) {
        power *= BASE;
        long[] shorter = entries[k - 1];
        long[] found = entries[k];
        NgramTable table = tables[k];
        Arrays.fill(found, 0, Math.min(k, size), 0);
        for (int i = k; i < size; i++) {
          found[i] =
              shorter[i] != 0 && shorter[i - 1] != 0
                  ? table.find(prefix[i + 1] - prefix[i - k] * power)
                  : 0;
        }
      }
    }

    private int cost(int i) {
      int longest = order;
      while (longest > 0 && entries[longest - 1][i] == 0) {
        longest--;
      }
      int sum = longest == 0 ? unknownCost : NgramTable.cost(entries[longest - 1][i]);
      for (int k = Math.max(1, longest); k < order && i > 0; k++) {
        sum += NgramTable.backoff(entries[k - 1][i - 1]);
      }
      return sum;
    }
  }

  public void write(DataOutput out) throws IOException {
    out.writeInt(MAGIC);
    out.writeInt(tables.length);
    out.writeInt(unknownCost);
    for (NgramTable table : tables) {
      table.write(out);
    }
  }

  /**
   * @throws IOException when the bytes are no model
   */
  public static NgramModel read(DataInput in) throws IOException {
    int magic = in.readInt();
    int order = in.readInt();
    if (magic != MAGIC || order < 1 || order > MAX_ORDER) {
      throw new IOException(
          "got %08x and order %d, wanted %08x and 1 to %d: no n-gram model of this version"
              .formatted(magic, order, MAGIC, MAX_ORDER));
    }
    int unknownCost = in.readInt();
    NgramTable[] tables = new NgramTable[order];
    for (int i = 0; i < order; i++) {
      tables[i] = NgramTable.read(in);
    }
    return new NgramModel(tables, unknownCost);
  }
}
