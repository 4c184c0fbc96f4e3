package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class SegmentSampleTest {
  @Test
  void frequentSegmentsStayAsTheyAre() {
    SegmentSample sample = new SegmentSample(10, 1);
    assertThat(sample.count("中国", 10)).isEqualTo(10);
    assertThat(sample.count("中国", 12_345)).isEqualTo(12_345);
    assertThat(new SegmentSample(1, 1).count("once", 1)).isEqualTo(1);
  }

  @Test
  void rareSegmentsStaySometimesAndThenCountMoreSoThatSumsAreRightOnAverage() {
    SegmentSample sample = new SegmentSample(50, 7);
    double sum = 0;
    int kept = 0;
    for (int i = 0; i < 100_000; i++) {
      long count = sample.count("segment " + i, 3);
      assertThat(count).isIn(0L, 50L);
      if (count > 0) kept++;
      sum += count;
    }
    assertThat(kept / 100_000.0).isCloseTo(3.0 / 50, within(0.003));
    assertThat(sum / 300_000).isCloseTo(1, within(0.05));
  }

  @Test
  void whichStayFollowsFromTheSeed() {
    assertThat(new SegmentSample(4, 1).count("的", 1))
        .isEqualTo(new SegmentSample(4, 1).count("的", 1));
    int differ = 0;
    for (int i = 0; i < 1000; i++) {
      if (new SegmentSample(4, 1).count("s" + i, 2) != new SegmentSample(4, 2).count("s" + i, 2)) {
        differ++;
      }
    }
    assertThat(differ).isBetween(400, 600);
  }

  @Test
  void theThresholdIsTheLowestThatFitsTheLimit() {
    long[] counts = {1, 2, 5, 100};
    long[] characters = {1000, 400, 100, 10};
    assertThat(SegmentSample.threshold(counts, characters, 1510)).isEqualTo(1);
    for (long limit : new long[] {1509, 1000, 500, 300, 120, 50, 11}) {
      long threshold = SegmentSample.threshold(counts, characters, limit);
      assertThat(threshold).isGreaterThan(1);
      assertThat(expected(counts, characters, threshold)).isLessThanOrEqualTo(limit);
      if (threshold > 2) {
        assertThat(expected(counts, characters, threshold - 1)).isGreaterThan(limit);
      }
    }
    assertThat(SegmentSample.threshold(new long[0], new long[0], 1000)).isEqualTo(1);
  }

  private static double expected(long[] counts, long[] characters, long threshold) {
    double sum = 0;
    for (int i = 0; i < counts.length; i++) {
      sum += characters[i] * Math.min(1, (double) counts[i] / threshold);
    }
    return sum;
  }
}
