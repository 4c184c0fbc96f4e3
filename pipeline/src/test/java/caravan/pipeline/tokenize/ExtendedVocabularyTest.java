package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ExtendedVocabularyTest {
  private static final String[] BASE = {"▁", "a", "b", "ab", "▁ab", "中"};

  @Test
  void aNewPieceStandsForWhatTheBaseWritesItAs() {
    SentencePieceModel base = TestModels.model(BASE);
    SentencePieceModel extended =
        TestModels.model("▁", "a", "b", "ab", "▁ab", "中", "abab", "▁aba", "中国", "😀");
    int ab = TestModels.FIRST + 3;
    assertThat(ExtendedVocabulary.of(base, extended).oldIds())
        .isDeepEqualTo(
            new int[][] {
              {ab, ab},
              {TestModels.FIRST + 4, TestModels.FIRST + 1},
              {TestModels.FIRST + 5, 3 + 0xE5, 3 + 0x9B, 3 + 0xBD},
              {3 + 0xF0, 3 + 0x9F, 3 + 0x98, 3 + 0x80}
            });
    assertThat(ExtendedVocabulary.of(base, base).oldIds()).isEmpty();
  }

  @Test
  void anotherPieceWithAnOldIdIsNoExtension() {
    SentencePieceModel base = TestModels.model(BASE);
    SentencePieceModel other = TestModels.model("▁", "a", "c", "ab", "▁ab", "中", "国");
    assertThat(ExtendedVocabulary.difference(base, other))
        .contains("id 261 is 'b' in the one, 'c' in the other");
    assertThat(ExtendedVocabulary.difference(base, TestModels.model("▁")))
        .contains("it has 260 pieces, 265 are there already");
    assertThatThrownBy(() -> ExtendedVocabulary.of(base, other))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "the tokenizer does not extend the base's: id 261 is 'b' in the one, 'c' in the other");
  }
}
