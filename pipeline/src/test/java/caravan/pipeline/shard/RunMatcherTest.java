package caravan.pipeline.shard;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RunMatcherTest {
  private static RunMatcher read(int[] query, int... stream) {
    RunMatcher matcher = new RunMatcher(query);
    for (int i = 0; i < stream.length; i++) matcher.next(stream[i], i);
    return matcher;
  }

  @Test
  void theFirstOfTheLongestRunsIsTold() {
    RunMatcher matcher = read(new int[] {7, 1, 2, 3, 9}, 1, 2, 5, 1, 2, 3, 5, 2, 3, 9);
    assertThat(matcher.bestLength()).isEqualTo(3);
    assertThat(matcher.bestEnd()).isEqualTo(6);
    assertThat(matcher.bestQueryEnd()).isEqualTo(4);
  }

  @Test
  void nothingInCommonIsALengthOfZero() {
    assertThat(read(new int[] {1, 2}, 3, 4, 5).bestLength()).isZero();
  }

  @Test
  void aNewStreamStartsFromNothing() {
    RunMatcher matcher = read(new int[] {1, 2, 3}, 1, 2);
    matcher.reset();
    matcher.next(3, 0);
    assertThat(matcher.bestLength()).isEqualTo(1);
  }

  @Test
  void everyRunIsAsLongAsComparingAllPlacesSays() {
    Random random = new Random(3);
    for (int round = 0; round < 500; round++) {
      int[] query = random.ints(1 + random.nextInt(30), 0, 3).toArray();
      int[] stream = random.ints(random.nextInt(60), 0, 4).toArray();
      RunMatcher matcher = read(query, stream);
      int length = matcher.bestLength();
      assertThat(length).isEqualTo(longest(query, stream));
      int end = (int) matcher.bestEnd();
      int queryEnd = matcher.bestQueryEnd();
      assertThat(Arrays.copyOfRange(stream, end - length, end))
          .isEqualTo(Arrays.copyOfRange(query, queryEnd - length, queryEnd));
    }
  }

  private static int longest(int[] a, int[] b) {
    int best = 0;
    for (int i = 0; i < a.length; i++) {
      for (int j = 0; j < b.length; j++) {
        int n = 0;
        while (i + n < a.length && j + n < b.length && a[i + n] == b[j + n]) n++;
        best = Math.max(best, n);
      }
    }
    return best;
  }
}
