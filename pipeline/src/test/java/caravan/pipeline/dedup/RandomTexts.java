package caravan.pipeline.dedup;

import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Texts that share hardly any shingle. */
final class RandomTexts {
  private final Random random;

  RandomTexts(long seed) {
    random = new Random(seed);
  }

  String han(int characters) {
    return IntStream.range(0, characters)
        .mapToObj(i -> Character.toString(0x4E00 + random.nextInt(5000)))
        .collect(Collectors.joining());
  }

  String words(int count) {
    return IntStream.range(0, count).mapToObj(i -> word()).collect(Collectors.joining(" "));
  }

  String word() {
    return Integer.toString(random.nextInt(36 * 36 * 36 * 36), 36);
  }
}
