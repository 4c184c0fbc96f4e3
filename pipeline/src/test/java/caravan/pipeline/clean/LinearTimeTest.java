package caravan.pipeline.clean;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.ReferenceConf;
import caravan.pipeline.text.Judge;
import caravan.pipeline.text.Passage;
import caravan.pipeline.text.Rule;
import caravan.pipeline.text.TextEdit;
import caravan.pipeline.text.TextFilter;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * No rule may take more than linear time in the length of a line: crawls have lines of megabytes.
 */
class LinearTimeTest {
  private static final int SHORT = 500_000;
  private static final int LONGER = 8;

  /**
   * Of the longer line's time over the short one's: caches end where quadratic work would begin.
   */
  private static final double MOST = 20;

  /** Below this many seconds a time says nothing. */
  private static final double NOISE = 0.02;

  private static Map<String, String> lines(int length) {
    Random random = new Random(7);
    Map<String, String> lines = new LinkedHashMap<>();
    lines.put("English", words(random, length));
    lines.put("Chinese", characters(random, length));
    lines.put("brackets", "[{（".repeat(length / 3));
    lines.put("one phrase", "上一篇…".repeat(length / 4));
    return lines;
  }

  private static String words(Random random, int length) {
    StringBuilder line = new StringBuilder();
    while (line.length() < length) {
      int letters = 1 + random.nextInt(8);
      random.ints(letters, 'a', 'z').forEach(line::appendCodePoint);
      line.append(random.nextInt(12) == 0 ? ". " : " ");
    }
    return line.toString();
  }

  private static String characters(Random random, int length) {
    return IntStream.range(0, length)
        .mapToObj(i -> i % 13 == 0 ? "，" : Character.toString(0x4E00 + random.nextInt(2000)))
        .collect(Collectors.joining());
  }

  private static double seconds(Rule rule, String text) {
    double best = Double.MAX_VALUE;
    for (int i = 0; i < 2; i++) {
      long start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
      Passage passage = Passage.of(text);
      if (rule instanceof TextFilter filter) {
        filter.measure(passage, Judge.thorough());
      } else if (rule instanceof TextEdit edit) {
        edit.edit(passage);
      }
      long end = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
      best = Math.min(best, (end - start) / 1e9);
    }
    return best;
  }

  @Test
  void every_rule_takes_linear_time_in_a_line() {
    String all =
        "zh.filters = [page-lines, citation-marks, c4-lines, blocklist, length, gopher-repetition,"
            + " gopher-quality, c4-quality, c4-paragraphs, fineweb-quality, chinese-quality,"
            + " advertising], zh.blocklist.words = [casino, 赌场]";
    CleanConfig config = ReferenceConf.read("clean", CleanConfig.class, all);
    Map<String, String> shortLines = lines(SHORT);
    Map<String, String> longLines = lines(SHORT * LONGER);
    for (LanguageRules.Named named : config.zh().chain(ListFiles.NONE, Map.of())) {
      shortLines.forEach(
          (kind, line) -> {
            double once = Math.max(NOISE, seconds(named.rule(), line));
            double longer = seconds(named.rule(), longLines.get(kind));
            assertThat(longer / once)
                .as("%s on %s: %.3f s, then %.3f s", named.name(), kind, once, longer)
                .isLessThan(MOST);
          });
    }
  }
}
