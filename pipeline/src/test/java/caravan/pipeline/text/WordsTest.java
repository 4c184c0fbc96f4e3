package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class WordsTest {
  private static List<String> words(String text) {
    Words words = Words.of(text);
    return IntStream.range(0, words.count()).mapToObj(words::word).toList();
  }

  @Test
  void a_han_character_is_a_word_and_so_is_a_run_of_other_letters_and_digits() {
    assertThat(words("Spark 3.5处理中文text，很快。"))
        .containsExactly("Spark", "3", "5", "处", "理", "中", "文", "text", "很", "快");
    assertThat(words("naïve cafe\u0301 Привет")).containsExactly("naïve", "cafe\u0301", "Привет");
    assertThat(words("カタ")).containsExactly("カ", "タ");
  }

  @Test
  void characters_beyond_the_basic_plane_are_one_word_and_one_character() {
    Words words = Words.of("𠮷野家😀");
    assertThat(words("𠮷野家😀")).containsExactly("𠮷", "野", "家");
    assertThat(words.characters()).isEqualTo(4);
    assertThat(words.wordCharacters()).isEqualTo(3);
  }

  @Test
  void nothing_has_no_words() {
    for (String text : List.of("", " \n", "，。…")) {
      assertThat(words(text)).isEmpty();
    }
    assertThat(Words.of("").tokens()).isZero();
    assertThat(Words.of("，。 …").tokens()).isEqualTo(2);
    assertThat(Words.of("，。 …").alphabeticTokens()).isZero();
  }

  @Test
  void tokens_are_what_white_space_separates_and_single_han_characters() {
    Words words = Words.of("hello, 世界。 -- 42");
    assertThat(words.tokens()).as("hello, | 世 | 界 | 。 | -- | 42").isEqualTo(6);
    assertThat(words.alphabeticTokens()).isEqualTo(3);
  }

  @Test
  void equal_words_hash_equally_whatever_their_case_and_place() {
    Words words = Words.of("The cat, the CAT. 猫猫 Été été");
    assertThat(words.hash(0)).isEqualTo(words.hash(2)).isEqualTo(Words.hashOf("THE"));
    assertThat(words.hash(1)).isEqualTo(words.hash(3)).isNotEqualTo(words.hash(0));
    assertThat(words.hash(4)).isEqualTo(words.hash(5));
    assertThat(words.hash(6)).isEqualTo(words.hash(7));
  }
}
