package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SegmentSplitterTest {
  private static List<String> split(String text, String... symbols) {
    List<String> segments = new ArrayList<>();
    new SegmentSplitter(new PieceRules(16, true), List.of(symbols)).split(text, segments::add);
    return segments;
  }

  @Test
  void anEnglishSegmentIsAWordWithTheSpaceBeforeIt() {
    assertThat(split("It's  in 2024."))
        .containsExactly("▁It", "'", "s", "▁▁in", "▁", "2", "0", "2", "4", ".");
  }

  @Test
  void aChineseSegmentIsARunBetweenPunctuationMarks() {
    assertThat(split("我们的中国，C语言很好。")).containsExactly("▁我们的中国", "，", "C", "语言很好", "。");
  }

  @Test
  void lineEndsAndTabsPartSegmentsAndAreInNone() {
    assertThat(split("ab\ncd\te\r\n\0中")).containsExactly("▁ab", "cd", "e", "中");
  }

  @Test
  void emojiAndSurrogatePairsStayWhole() {
    assertThat(split("好😀😀𠮷野家")).containsExactly("▁好", "😀😀", "𠮷野家");
  }

  @Test
  void unpairedSurrogatesPartSegmentsAndAreInNone() {
    assertThat(split("好\ud83d吧\ude00a")).containsExactly("▁好", "吧", "a");
  }

  @Test
  void spacesBesideAndInSymbolsAreTheSameAsElsewhere() {
    assertThat(split(" a <b> c", "<b>")).containsExactly("▁▁a", "▁", "▁c");
  }

  @Test
  void userDefinedSymbolsAreCutOutLongestFirst() {
    assertThat(split("a<|im|>b<|im|>>c", "<|im|>", "<|im|>>")).containsExactly("▁a", "b", "c");
  }

  @Test
  void theEmptyTextHasNoSegment() {
    assertThat(split("")).isEmpty();
    assertThat(split(" ")).containsExactly("▁▁");
  }

  @Test
  void anEndlessRunIsCut() {
    assertThat(split("a".repeat(10_000)))
        .hasSize(3)
        .allMatch(s -> s.length() <= SegmentSplitter.MAX_SEGMENT_CHARS);
  }
}
