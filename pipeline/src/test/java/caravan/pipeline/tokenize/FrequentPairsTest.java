package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class FrequentPairsTest {
  private static final TokenizerConfig CONFIG = TokenizerConfig.ofSize(1000);

  private static Alphabet alphabet(String characters) {
    Map<Integer, Long> counts = new HashMap<>();
    characters.codePoints().forEach(c -> counts.merge(c, 1L, Long::sum));
    return Alphabet.of(counts, 1, Set.of());
  }

  private static List<String> cut(FrequentPairs pairs, String segment) {
    List<String> parts = new ArrayList<>();
    pairs.cut(segment, parts::add);
    return parts;
  }

  @Test
  void aSegmentIsPartedBetweenRarePairsAndSingleCharactersGo() {
    long[] frequent = {FrequentPairs.pair('中', '国'), FrequentPairs.pair('国', '人')};
    FrequentPairs pairs = FrequentPairs.of(alphabet("中国人民"), frequent);
    assertThat(cut(pairs, "中国人民中国")).containsExactly("中国人", "中国");
    assertThat(cut(pairs, "民民")).isEmpty();
    assertThat(cut(pairs, "")).isEmpty();
  }

  @Test
  void charactersOutsideOfTheAlphabetPartAndGo() {
    FrequentPairs pairs = FrequentPairs.all(alphabet("the𠮷😀"));
    assertThat(cut(pairs, "theéthe龘𠮷😀")).containsExactly("the", "the", "𠮷😀");
  }

  @Test
  void pairsAreCountedInsideTheAlphabetAndOverlapping() {
    LongCounts sums = new LongCounts();
    FrequentPairs.count("aaab𠮷", 3, alphabet("a𠮷"), sums);
    FrequentPairs.count("𠮷a", 2, alphabet("a𠮷"), sums);
    Map<Long, Long> counted = new HashMap<>();
    for (int slot = 0; slot < sums.slots(); slot++) {
      if (sums.isTaken(slot)) counted.put(sums.key(slot), sums.sum(slot));
    }
    assertThat(counted)
        .isEqualTo(Map.of(FrequentPairs.pair('a', 'a'), 6L, FrequentPairs.pair(0x20BB7, 'a'), 2L));
  }

  @Test
  void mergesOfPartsAreThoseOfWholeSegmentsDownToTheRarestPair() {
    Random random = new Random(17);
    for (int round = 0; round < 20; round++) {
      List<String> documents = new ArrayList<>();
      for (int i = 0; i < 60; i++) {
        StringBuilder text = new StringBuilder();
        for (int n = 0; n < 30; n++) {
          text.appendCodePoint('一' + (int) Math.abs(6 * random.nextGaussian()));
        }
        documents.add(text.toString());
      }
      SegmentCounts whole = SegmentCounts.of(documents, SegmentSplitter.of(CONFIG));
      Alphabet alphabet = Alphabet.of(whole.characters(), 1, Set.of());
      long least = 5 + random.nextInt(10);
      SegmentCounts parts = SegmentCounts.of(parts(whole, alphabet, least));
      assertThat(parts.length() - parts.size()).isLessThan(whole.length() - whole.size());
      List<String> merges = BpeTrainer.learn(parts, alphabet, CONFIG, 10_000, least);
      assertThat(merges).isNotEmpty();
      assertThat(merges).isEqualTo(BpeTrainer.learn(whole, alphabet, CONFIG, 10_000, least));
    }
  }

  private static Map<String, Long> parts(SegmentCounts whole, Alphabet alphabet, long least) {
    LongCounts sums = new LongCounts();
    whole.forEach((segment, count) -> FrequentPairs.count(segment, count, alphabet, sums));
    List<Long> frequent = new ArrayList<>();
    for (int slot = 0; slot < sums.slots(); slot++) {
      if (sums.isTaken(slot) && sums.sum(slot) >= least) frequent.add(sums.key(slot));
    }
    long[] keys = frequent.stream().mapToLong(Long::longValue).toArray();
    FrequentPairs pairs = FrequentPairs.of(alphabet, keys);
    Map<String, Long> parts = new HashMap<>();
    whole.forEach(
        (segment, count) -> pairs.cut(segment, part -> parts.merge(part, count, Long::sum)));
    return parts;
  }
}
