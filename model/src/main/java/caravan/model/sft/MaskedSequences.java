package caravan.model.sft;

import caravan.model.engine.TokenBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Examples laid into rows of one length, with the loss on trained spans alone. An example of n ids
 * takes n − 1 positions: its last id is only predicted. No target crosses from one example into the
 * next; whether attention does, where rows are packed, is for the reader of {@link #markedTargets}
 * to choose.
 *
 * <p>Every example ends up in exactly one of the counts of {@link Counts}, and every trained token
 * is either a target or counted as cut.
 */
public final class MaskedSequences {

  /** How examples share rows. */
  public enum Rows {
    /** One example per row, the rest padding. */
    PADDED,
    /** As many whole examples per row as fit, in order of the first row with room. */
    PACKED
  }

  /** What happens to an example that is longer than a row. */
  public enum TooLong {
    /** Its first tokens are kept. */
    TRUNCATE,
    /** It is left out. */
    DROP
  }

  /**
   * @param kept examples in rows, truncated ones included
   * @param truncated examples of which only the beginning is in a row
   * @param droppedTooLong examples left out for their length
   * @param droppedUntrained examples left out because no trained token was (or remained) in them
   * @param trainedTokens targets in the rows
   * @param cutTrainedTokens trained tokens that are in no row: of dropped examples, beyond a
   *     truncation, or first in their example, where nothing precedes them
   */
  public record Counts(
      int examples,
      int kept,
      int truncated,
      int droppedTooLong,
      int droppedUntrained,
      long trainedTokens,
      long cutTrainedTokens) {}

  /** How many rows with room are remembered when packing. */
  private static final int OPEN_ROWS = 64;

  private final int seq;
  private final int eos;
  private final Rows rows;
  private final TooLong tooLong;
  private final List<int[]> ids = new ArrayList<>();
  private final List<int[]> targets = new ArrayList<>();
  private final List<List<Integer>> rowExamples = new ArrayList<>();
  private final List<List<Integer>> starts = new ArrayList<>();
  private final List<Integer> fills = new ArrayList<>();
  private int examples;
  private int truncated;
  private int droppedTooLong;
  private int droppedUntrained;
  private long trainedTokens;
  private long cutTrainedTokens;

  private MaskedSequences(int seq, int eos, Rows rows, TooLong tooLong) {
    this.seq = seq;
    this.eos = eos;
    this.rows = rows;
    this.tooLong = tooLong;
  }

  /**
   * @param examples in the order of training
   * @param seq positions per row
   * @param eos the id that ends a turn: what may not be masked after a trained span, and what fills
   *     rows up, without loss
   * @throws IllegalArgumentException when a span ends before its turn's end token, or nothing is
   *     left to train on
   */
  public static MaskedSequences of(
      List<MaskedExample> examples, int seq, int eos, Rows rows, TooLong tooLong) {
    if (seq < 1) {
      throw new IllegalArgumentException("sequence length: got " + seq + ", wanted at least 1");
    }
    var sequences = new MaskedSequences(seq, eos, rows, tooLong);
    examples.forEach(sequences::add);
    if (sequences.ids.isEmpty()) {
      throw new IllegalArgumentException(
          "fine-tuning data: none of "
              + examples.size()
              + " examples can be trained on: "
              + sequences.droppedTooLong
              + " longer than "
              + seq
              + " tokens, "
              + sequences.droppedUntrained
              + " without a trained token in reach; raise train.sequence-length or check the data");
    }
    return sequences;
  }

  private void add(MaskedExample example) {
    if (example.masksEnd(eos)) {
      throw new IllegalArgumentException(
          "example "
              + examples
              + ": a trained span stops before the end token "
              + eos
              + " that follows it: the model would never learn to stop; let the span include it");
    }
    examples++;
    int[] target = example.targets();
    boolean fits = target.length <= seq;
    int length = Math.min(seq, target.length);
    long trained = Arrays.stream(target, 0, length).filter(t -> t != TokenBatch.IGNORED).count();
    if (!fits && tooLong == TooLong.DROP) {
      droppedTooLong++;
      trained = 0;
    } else if (trained == 0) {
      droppedUntrained++;
    } else {
      truncated += fits ? 0 : 1;
      rowExamples.get(place(example.ids(), target, length)).add(examples - 1);
    }
    trainedTokens += trained;
    cutTrainedTokens += example.trainedTokens() - trained;
  }

  /** Returns the row. */
  private int place(int[] from, int[] target, int length) {
    int row = -1;
    if (rows == Rows.PACKED) {
      for (int r = Math.max(0, fills.size() - OPEN_ROWS); r < fills.size() && row < 0; r++) {
        if (fills.get(r) + length <= seq) {
          row = r;
        }
      }
    }
    if (row < 0) {
      row = ids.size();
      int[] emptyIds = new int[seq];
      Arrays.fill(emptyIds, eos);
      int[] emptyTargets = new int[seq];
      Arrays.fill(emptyTargets, TokenBatch.IGNORED);
      ids.add(emptyIds);
      targets.add(emptyTargets);
      rowExamples.add(new ArrayList<>());
      starts.add(new ArrayList<>());
      fills.add(0);
    }
    System.arraycopy(from, 0, ids.get(row), fills.get(row), length);
    System.arraycopy(target, 0, targets.get(row), fills.get(row), length);
    starts.get(row).add(fills.get(row));
    fills.set(row, fills.get(row) + length);
    return row;
  }

  public Counts counts() {
    return new Counts(
        examples,
        examples - droppedTooLong - droppedUntrained,
        truncated,
        droppedTooLong,
        droppedUntrained,
        trainedTokens,
        cutTrainedTokens);
  }

  /** Number of rows. */
  public int size() {
    return ids.size();
  }

  /** Which examples lie in a row, by their places in the list that was given, in row order. */
  public List<Integer> examples(int row) {
    return List.copyOf(rowExamples.get(row));
  }

  /** [seq] ids of a row. */
  public int[] ids(int row) {
    return ids.get(row).clone();
  }

  /** [seq] targets of a row. */
  public int[] targets(int row) {
    return targets.get(row).clone();
  }

  /** [seq] targets of a row, marked where an example after the first begins. */
  public int[] markedTargets(int row) {
    int[] marked = targets(row);
    for (int start : starts.get(row)) {
      marked[start] = start == 0 ? marked[start] : TokenBatch.marked(marked[start]);
    }
    return marked;
  }

  /** The rows named, as one batch. */
  public TokenBatch batch(int... rows) {
    int[] batchIds = new int[rows.length * seq];
    int[] batchTargets = new int[batchIds.length];
    for (int r = 0; r < rows.length; r++) {
      System.arraycopy(ids.get(rows[r]), 0, batchIds, r * seq, seq);
      System.arraycopy(targets.get(rows[r]), 0, batchTargets, r * seq, seq);
    }
    return new TokenBatch(batchIds, batchTargets, rows.length, seq);
  }
}
