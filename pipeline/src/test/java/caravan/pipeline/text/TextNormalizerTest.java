package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TextNormalizerTest {
  private final TextNormalizer normalizer = new TextNormalizer();

  private String normal(String text) {
    return normalizer.normalize(text).text();
  }

  @Test
  void chinese_punctuation_stays_as_it_is() {
    String text = "他说：“你好！”，然后（笑着）走了……《红楼梦》、【注】；真的吗？～";
    assertThat(normalizer.normalize(text)).isEqualTo(new TextNormalizer.Normalized(text, Map.of()));
  }

  @Test
  void full_width_letters_and_digits_become_ascii() {
    assertThat(normal("Ｓｐａｒｋ　３．５版，１００％")).isEqualTo("Spark 3．5版，100%");
  }

  @Test
  void compatibility_forms_become_plain_but_powers_and_fractions_stay() {
    assertThat(normal("ﬁne ⼈ 豈 e\u0301 ㎏")).isEqualTo("fine 人 豈 é kg");
    assertThat(normal("10² m³ ½ ① H₂O wait…")).isEqualTo("10² m³ ½ ① H₂O wait…");
  }

  @Test
  void vertical_and_small_forms_become_the_chinese_marks_they_are_forms_of() {
    assertThat(normal("﹁好﹂﹐對﹗︵一︶﹕﹟")).isEqualTo("「好」，對！（一）：#");
    assertThat(normal("100㎡ 5㎥ 3㎏ ½ Windows™ 1º ¨ ´")).isEqualTo("100m² 5m³ 3kg ½ Windows™ 1º ¨ ´");
  }

  @Test
  void the_errors_of_others_tables_are_not_made() {
    assertThat(normal("１２３ ａｂｃ ，。《》「」、；：？！（）【】～—…·“”‘’"))
        .isEqualTo("123 abc ，。《》「」、；：？！（）【】～—…·“”‘’");
  }

  @Test
  void each_edit_has_its_own_reason_and_can_be_left_out() {
    String text = "Ａ\u200B ﬁ  cafÃ©";
    assertThat(normalizer.normalize(text).removed())
        .isEqualTo(
            Map.of(
                "full_width", 0L, "invisible", 1L, "nfkc", -1L, "whitespace", 1L, "mojibake", 1L));
    for (TextNormalizer.Edit edit : TextNormalizer.Edit.values()) {
      List<TextNormalizer.Edit> others = new ArrayList<>(List.of(TextNormalizer.Edit.values()));
      others.remove(edit);
      assertThat(new TextNormalizer(others).normalize(text).removed())
          .hasSize(4)
          .doesNotContainKey(edit.reason());
    }
    assertThat(new TextNormalizer(List.of()).normalize(text).text()).isSameAs(text);
  }

  @Test
  void normal_text_is_returned_as_it_is() {
    String text = "标题：Spark 3.5\n\n\tcode\n  two 😀 𠮷\nHé said “it’s ok”…";
    assertThat(normalizer.normalize(text).text()).isSameAs(text);
    assertThat(normalizer.normalize(text).removed()).isEmpty();
  }

  @Test
  void invisible_characters_go_and_are_counted() {
    var normalized = normalizer.normalize("a\u200Bb\uFEFFc\u0000d\u00ADe\uD800f\u202Eg\u0007");
    assertThat(normalized.text()).isEqualTo("abcdefg");
    assertThat(normalized.removed()).isEqualTo(Map.of("invisible", 7L));
  }

  @Test
  void joined_emoji_and_rare_characters_survive() {
    assertThat(normal("👩\u200D💻 𠮷野家")).isEqualTo("👩\u200D💻 𠮷野家");
  }

  @Test
  void white_space_is_simple_and_indentation_of_code_stays() {
    var normalized =
        normalizer.normalize("\r\n 　one  two\u00A0\tthree \r\n\n\n\n　　four\n  if x:\n\treturn\n\n");
    assertThat(normalized.text()).isEqualTo("one two three\n\nfour\n  if x:\n\treturn");
    assertThat(normalized.removed().keySet()).containsExactly("whitespace");
    assertThat(normal("a\u2028b\u0085c\fd")).isEqualTo("a\nb\nc\nd");
  }

  @Test
  void an_expansion_counts_negative() {
    assertThat(normalizer.normalize("㎏").removed()).isEqualTo(Map.of("nfkc", -1L));
  }

  @Test
  void nothing_stays_nothing() {
    assertThat(normal("")).isEmpty();
    assertThat(normal(" \n\t\u200B　")).isEmpty();
  }

  @Test
  void every_text_is_accounted_for_and_normal_after_one_time() {
    String alphabet =
        "ab Ａ，。\n\r\t　…²\u0301가각ﬁ㎏①𠮷😀\uD800\u200B\u00A0\u0085é豈\u1100\u1161１Ãâ€™©ÂÄ锛浣犲﹐㎡´¨ª";
    Random random = new Random(1);
    for (int i = 0; i < 20_000; i++) {
      StringBuilder text = new StringBuilder();
      for (int k = random.nextInt(12); k > 0; k--) {
        text.append(alphabet.charAt(random.nextInt(alphabet.length())));
      }
      var once = normalizer.normalize(text.toString());
      long removed = once.removed().values().stream().mapToLong(Long::longValue).sum();
      assertThat(characters(once.text()) + removed).as("%s", text).isEqualTo(characters(text));
      assertThat(normalizer.normalize(once.text()).text()).as("%s", text).isEqualTo(once.text());
    }
  }

  private static long characters(CharSequence text) {
    return Character.codePointCount(text, 0, text.length());
  }

  @Test
  void long_texts_take_linear_time() {
    for (String piece : List.of("a", "，", " ", "\u0301", "\n", "ﬁ", "\n ", "Ａ", "\r", " a")) {
      assertThat(normalizer.normalize(piece.repeat(1_000_000)).text()).isNotNull();
    }
  }
}
