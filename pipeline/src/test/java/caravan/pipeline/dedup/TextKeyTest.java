package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TextKeyTest {
  private final TextKey key = new TextKey();

  @Test
  void whiteSpaceIsFolded() {
    long wanted = key.of("今天 天气 good day");
    assertThat(key.of("  今天\n天气\t\tgood\u00a0day\u3000\r\n")).isEqualTo(wanted);
    assertThat(key.of("今天天气 good day")).isNotEqualTo(wanted);
  }

  @Test
  void caseAndPunctuationCount() {
    assertThat(key.of("Hello.")).isNotEqualTo(key.of("hello.")).isNotEqualTo(key.of("Hello"));
    assertThat(key.of("你好。")).isNotEqualTo(key.of("你好"));
  }

  @Test
  void anEmptyTextEqualsABlankOne() {
    assertThat(key.of("")).isEqualTo(key.of(" \n "));
  }

  @Test
  void nothingOfALongerTextBeforeIsLeftOver() {
    long before = key.of("𠮷a");
    key.of("x".repeat(100_000));
    assertThat(key.of("𠮷a")).isEqualTo(before);
  }

  @Test
  void differentTextsHaveDifferentKeys() {
    Set<Long> keys = new HashSet<>();
    for (int i = 0; i < 100_000; i++) {
      keys.add(key.of("text " + i));
    }
    assertThat(keys).hasSize(100_000);
  }
}
