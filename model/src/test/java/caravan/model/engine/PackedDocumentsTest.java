package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/** Documents that share a row see nothing of each other. */
class PackedDocumentsTest {
  /** Where the documents of two rows of 90 begin: short ones, one longer than a tile of rows. */
  private static final int[][] FIRST = {{0, 1, 18, 83}, {0, 24}};

  private static final int SEQ = 90;

  /** The batch with the positions above as starts of documents. */
  private static TokenBatch packed(TokenBatch batch) {
    int[] marked = batch.targets().clone();
    for (int row = 0; row < batch.batch(); row++) {
      for (int start : FIRST[row]) {
        marked[row * SEQ + start] = TokenBatch.marked(marked[row * SEQ + start]);
      }
    }
    return TokenBatch.ofMarked(batch.ids(), marked, batch.batch(), SEQ);
  }

  private static TokenBatch document(TokenBatch batch, int from, int to) {
    return new TokenBatch(
        Arrays.copyOfRange(batch.ids(), from, to),
        Arrays.copyOfRange(batch.targets(), from, to),
        1,
        to - from);
  }

  @ParameterizedTest(name = "{0}/{1} heads of {2}, {3} threads")
  @CsvSource({"4, 4, 8, 1", "4, 2, 16, 2", "6, 1, 34, 3"})
  void a_packed_rows_loss_and_gradient_are_those_of_its_documents_run_one_by_one(
      int heads, int kvHeads, int headDim, int threads) {
    LlamaConfig config = Examples.config(heads, kvHeads, headDim, true);
    long length = new ParameterLayout(config).length();
    TokenBatch batch = Examples.batch(config, 2, SEQ, 3);
    try (FloatPointer parameters = pointer(config);
        CpuEngine engine = new CpuEngine(config, threads);
        FloatPointer got = new FloatPointer(length);
        FloatPointer apart = new FloatPointer(length)) {
      double loss = engine.lossAndGradient(parameters, got, packed(batch));
      double sum = 0;
      double[] gradient = new double[(int) length];
      for (int row = 0; row < 2; row++) {
        for (int d = 0; d < FIRST[row].length; d++) {
          int end = d + 1 < FIRST[row].length ? FIRST[row][d + 1] : SEQ;
          TokenBatch one = document(batch, row * SEQ + FIRST[row][d], row * SEQ + end);
          double share = (double) one.targetCount() / batch.targetCount();
          sum += share * engine.lossAndGradient(parameters, apart, one);
          for (int i = 0; i < length; i++) {
            gradient[i] += share * apart.get(i);
          }
        }
      }
      assertThat(loss).isCloseTo(sum, within(2e-6 * sum));
      assertClose(config, got, gradient);
      assertThat(engine.lossAndGradient(parameters, apart, batch)).isNotCloseTo(sum, within(1e-3));
    }
  }

  @ParameterizedTest(name = "{0}/{1} heads")
  @CsvSource({"4, 4", "4, 2"})
  void the_oracle_says_the_same_in_double(int heads, int kvHeads) {
    LlamaConfig config = Examples.config(heads, kvHeads, 8, false);
    INDArray exact = Examples.parameters(config, DataType.DOUBLE, 1);
    INDArray expected = exact.ulike();
    TokenBatch batch = packed(Examples.batch(config, 2, SEQ, 3));
    double loss = new Nd4jEngine(config, DataType.DOUBLE).lossAndGradient(exact, expected, batch);
    try (FloatPointer parameters = pointer(config);
        CpuEngine engine = new CpuEngine(config, 2);
        FloatPointer got = new FloatPointer(expected.length())) {
      assertThat(engine.lossAndGradient(parameters, got, batch))
          .isCloseTo(loss, within(2e-6 * loss));
      assertClose(config, got, expected.toDoubleVector());
    }
  }

  /** Another token in one document: no bit of any other document's scores changes. */
  @Test
  void nothing_crosses_from_one_document_into_another() {
    LlamaConfig config = Examples.config(4, 2, 16, true);
    TokenBatch batch = packed(Examples.batch(config, 2, SEQ, 3));
    int[] ids = batch.ids().clone();
    ids[20] = (ids[20] + 1) % config.vocabSize();
    TokenBatch other = new TokenBatch(ids, batch.targets(), 2, SEQ, batch.starts());
    try (FloatPointer parameters = pointer(config);
        CpuEngine engine = new CpuEngine(config, 2)) {
      float[] before = engine.score(parameters, batch).logProbability();
      float[] after = engine.score(parameters, other).logProbability();
      for (int i = 0; i < before.length; i++) {
        boolean sees = i >= 20 && i < 83;
        assertThat(before[i] == after[i]).as("position " + i).isEqualTo(!sees);
      }
    }
  }

  @Test
  void marks_travel_with_targets_and_come_back() {
    assertThat(TokenBatch.marked(TokenBatch.IGNORED)).isEqualTo(-2);
    assertThat(TokenBatch.marked(TokenBatch.marked(61))).isEqualTo(61);
    int[] targets = {5, TokenBatch.marked(-1), 7, TokenBatch.marked(0), 1, 2, 3, -1};
    TokenBatch batch = TokenBatch.ofMarked(new int[8], targets, 2, 4);
    assertThat(batch.targets()).containsExactly(5, -1, 7, 0, 1, 2, 3, -1);
    assertThat(batch.starts()).containsExactly(0, 1, 1, 3, 0, 0, 0, 0);
    assertThat(batch.markedTargets()).isEqualTo(targets);
    assertThat(documentEnds(batch, 0)).containsExactly(1, 3, 4);
    assertThat(documentEnds(batch.rows(0, 1), 0)).containsExactly(1, 3, 4);
    assertThat(documentEnds(batch.rows(1, 1), 0)).containsExactly(4);
    // A mark at a row's first position says nothing new.
    assertThat(TokenBatch.ofMarked(new int[1], new int[] {-2}, 1, 1).isPacked()).isFalse();
    assertThatThrownBy(() -> new TokenBatch(new int[4], new int[4], 1, 4, new int[] {0, 0, 1, 1}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "batch: position 2 of row 0 belongs to a document that starts at 1, wanted this"
                + " position or the start of the position before");
  }

  private static FloatPointer pointer(LlamaConfig config) {
    return new FloatPointer(Examples.parameters(config, DataType.FLOAT, 1).dup().data().asFloat());
  }

  /** Within rounding, by the norm of each tensor. */
  private static void assertClose(LlamaConfig config, FloatPointer got, double[] wanted) {
    for (ParameterLayout.Tensor tensor : new ParameterLayout(config).tensors()) {
      double squares = 0;
      double norm = 0;
      for (long i = tensor.offset(); i < tensor.offset() + tensor.length(); i++) {
        double d = got.get(i) - wanted[(int) i];
        squares += d * d;
        norm += wanted[(int) i] * wanted[(int) i];
      }
      assertThat(Math.sqrt(squares / norm)).as(tensor.name()).isLessThan(2e-5);
    }
  }

  private static List<Integer> documentEnds(TokenBatch batch, int row) {
    List<Integer> ends = new ArrayList<>();
    for (int first = 0; first < batch.seq(); first = ends.get(ends.size() - 1)) {
      ends.add(batch.documentEnd(row, first));
    }
    return ends;
  }
}
