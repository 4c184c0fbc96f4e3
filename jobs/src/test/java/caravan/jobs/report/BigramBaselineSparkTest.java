package caravan.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import caravan.jobs.TestSpark;
import caravan.model.engine.TokenBatch;
import caravan.model.train.SequenceSource;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class BigramBaselineSparkTest {
  private static final int VOCABULARY = 40;
  private static final int LENGTH = 16;

  /** A Markov chain in which every id has two likely followers; the last position has no target. */
  record Chain(long size, long seed) implements SequenceSource {
    @Override
    public int sequenceLength() {
      return LENGTH;
    }

    @Override
    public void read(long index, int[] ids, int[] targets, int at) {
      Random random = new Random(seed + index);
      int id = random.nextInt(VOCABULARY);
      for (int i = 0; i < LENGTH; i++) {
        ids[at + i] = id;
        id =
            random.nextInt(10) == 0
                ? random.nextInt(VOCABULARY)
                : (id * 7 + random.nextInt(2)) % VOCABULARY;
        targets[at + i] = i == LENGTH - 1 ? TokenBatch.IGNORED : id;
      }
    }
  }

  @Test
  void theLossEqualsOneCountedInOneLoop() {
    Chain train = new Chain(300, 1);
    Chain validation = new Chain(50, 10_000);
    BigramBaseline baseline =
        BigramBaseline.measure(TestSpark.session(), train, validation, VOCABULARY, 20);
    assertThat(baseline.trainTokens()).isEqualTo(300 * (LENGTH - 1));
    assertThat(baseline.validationTokens()).isEqualTo(20 * (LENGTH - 1));
    assertThat(baseline.loss()).isCloseTo(lossByLoop(train, validation, 20), within(1e-9));
    // Above the chain's own entropy (about 1.3 nats), far below knowing nothing (ln 40 = 3.7).
    assertThat(baseline.loss()).isBetween(1.1, 1.9);
  }

  @Test
  void sequencesWithoutATargetAreRefused() {
    SequenceSource empty = new Chain(0, 1);
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                BigramBaseline.measure(TestSpark.session(), new Chain(3, 1), empty, VOCABULARY, 0))
        .withMessage("bigram: no target token among 3 training and 0 validation sequences");
  }

  private static double lossByLoop(Chain train, Chain validation, int sequences) {
    Map<Long, Long> counts = count(train, train.size());
    long[] total = new long[VOCABULARY];
    int[] followers = new int[VOCABULARY];
    int[] predecessors = new int[VOCABULARY];
    Set<Long> once = new HashSet<>();
    Set<Long> twice = new HashSet<>();
    counts.forEach(
        (pair, count) -> {
          total[(int) (pair / VOCABULARY)] += count;
          followers[(int) (pair / VOCABULARY)]++;
          predecessors[(int) (pair % VOCABULARY)]++;
          if (count == 1) {
            once.add(pair);
          } else if (count == 2) {
            twice.add(pair);
          }
        });
    KneserNeyBigram bigram =
        new KneserNeyBigram(total, followers, predecessors, once.size(), twice.size());
    double loss = 0;
    long tokens = 0;
    for (var entry : count(validation, sequences).entrySet()) {
      long pair = entry.getKey();
      loss -=
          entry.getValue()
              * bigram.logProbability(
                  (int) (pair / VOCABULARY),
                  (int) (pair % VOCABULARY),
                  counts.getOrDefault(pair, 0L));
      tokens += entry.getValue();
    }
    return loss / tokens;
  }

  private static Map<Long, Long> count(Chain chain, long sequences) {
    Map<Long, Long> counts = new HashMap<>();
    int[] ids = new int[LENGTH];
    int[] targets = new int[LENGTH];
    for (long s = 0; s < sequences; s++) {
      chain.read(s, ids, targets, 0);
      for (int i = 0; i < LENGTH; i++) {
        if (targets[i] != TokenBatch.IGNORED) {
          counts.merge((long) ids[i] * VOCABULARY + targets[i], 1L, Long::sum);
        }
      }
    }
    return counts;
  }
}
