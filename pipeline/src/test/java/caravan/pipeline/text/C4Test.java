package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import caravan.pipeline.ReferenceConf;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** C4's rules with the thresholds that users get, except where a test gives its own. */
class C4Test {
  private static final C4Lines EN = ReferenceConf.read("clean.en.c4-lines", C4Lines.class);
  private static final C4Lines ZH = ReferenceConf.read("clean.zh.c4-lines", C4Lines.class);
  private static final C4Lines STRICT =
      ReferenceConf.read("clean.en.c4-lines", C4Lines.class, "terminal-punctuation = true");
  private static final C4QualityFilter QUALITY =
      ReferenceConf.read("clean.en.c4-quality", C4QualityFilter.class);
  private static final C4ParagraphFilter PARAGRAPHS = new C4ParagraphFilter(2, 3);
  private static final CitationMarks MARKS =
      ReferenceConf.read("clean.zh.citation-marks", CitationMarks.class);

  private static Map<String, Long> removed(TextEdit rule, String text) {
    return rule.edit(Passage.of(text)).removed();
  }

  private static String left(TextEdit rule, String text) {
    return rule.edit(Passage.of(text)).text();
  }

  private static String verdict(TextFilter filter, String text) {
    return filter.check(Passage.of(text)).map(d -> d.reason() + ": " + d.detail()).orElse("kept");
  }

  @Test
  void lines_that_say_something_stay() {
    for (String text :
        List.of(
            "", "Only three words", "他说好", "使用 Spark 3。\n\n𠮷野家😀 opened", "a \"policy\" of use")) {
      assertThat(left(EN, text)).isEqualTo(text);
      assertThat(left(ZH, text)).isEqualTo(text);
    }
  }

  @Test
  void each_line_rule_gives_its_reason() {
    assertThat(removed(EN, "Two words\nthree words here")).isEqualTo(Map.of("line_few_words", 10L));
    assertThat(removed(EN, "Please enable JavaScript to go on.")).containsKey("line_javascript");
    assertThat(removed(ZH, "请开启浏览器的javascript功能。")).containsKey("line_javascript");
    assertThat(removed(EN, "We have a Privacy Policy here.")).containsKey("line_policy");
    assertThat(removed(ZH, "请阅读我们的隐私政策")).isEqualTo(Map.of("line_policy", 10L));
    assertThat(removed(EN, "x".repeat(1001) + " and two")).containsKey("line_long_word");
    assertThat(removed(EN, "x".repeat(1000) + " and two")).isEmpty();
    assertThat(removed(EN, "😀".repeat(1000) + " and two")).as("code points").isEmpty();
  }

  @Test
  void a_chinese_character_is_a_word_of_its_own() {
    assertThat(left(ZH, "好的\n不好的\n𠮷𠮷𠮷\n好 Spark 呀")).isEqualTo("不好的\n𠮷𠮷𠮷\n好 Spark 呀");
  }

  @Test
  void lines_without_terminal_punctuation_go_when_asked_for() {
    assertThat(left(STRICT, "It ends here.\nHe said \"so it is\"\nIs it so?\n他说得很好。"))
        .isEqualTo("It ends here.\nHe said \"so it is\"\nIs it so?\n他说得很好。");
    assertThat(removed(STRICT, "It breaks off...\nIt has no end")).containsKey("line_unterminated");
    assertThat(left(EN, "It breaks off...\nIt has no end"))
        .isEqualTo("It breaks off...\nIt has no end");
  }

  @Test
  void placeholders_code_and_single_sentences_drop_a_document() {
    String three = "One is here. Two is there. Three!";
    assertThat(verdict(QUALITY, three)).isEqualTo("kept");
    assertThat(verdict(QUALITY, "他说：“好。”她说不好！真的吗？")).isEqualTo("kept");
    assertThat(verdict(QUALITY, "One is here. Two"))
        .isEqualTo("too_few_sentences: 2 sentences, minimum 3");
    assertThat(verdict(QUALITY, "")).isEqualTo("too_few_sentences: 0 sentences, minimum 3");
    assertThat(verdict(QUALITY, three + " Lorem IPSUM dolor."))
        .isEqualTo("lorem_ipsum: 1 placeholder texts, maximum 0");
    assertThat(verdict(QUALITY, three + "{" + "x".repeat(466))).isEqualTo("kept");
    assertThat(verdict(QUALITY, three + "{" + "x".repeat(465)))
        .isEqualTo("curly_brackets: 2.004 { per 1,000 code points, maximum 2");
  }

  @Test
  void sentences_end_where_a_reader_would_end_them() {
    assertThat(sentences("Mr. J. Doe left at 3.5 p.m. on foot. He came back.")).isEqualTo(3);
    assertThat(sentences("他来了。她走了！为什么？没有人知道")).isEqualTo(4);
    assertThat(sentences("A title\nA sentence. Another one?!\n...\n--")).isEqualTo(3);
    assertThat(sentences("使用 Spark。Then it works. 𠮷。")).isEqualTo(3);
    assertThat(sentences("a. The first point.")).isEqualTo(1);
    assertThat(sentences("")).isZero();
  }

  private static int sentences(String text) {
    return Sentences.count(Lines.of(text));
  }

  @Test
  void long_lines_are_paragraphs() {
    assertThat(verdict(PARAGRAPHS, "abc\n\n汉字😀")).isEqualTo("kept");
    assertThat(verdict(PARAGRAPHS, "abc\nab\n😀😀"))
        .isEqualTo("few_long_lines: 1 lines of at least 3 code points, minimum 2");
    assertThat(verdict(PARAGRAPHS, "")).startsWith("few_long_lines: 0 lines");
  }

  @Test
  void citation_marks_go_with_the_space_that_only_they_needed() {
    assertThat(left(MARKS, "海港[1]很静[来源请求]，[12]人少。")).isEqualTo("海港很静，人少。");
    assertThat(left(MARKS, "A word [3] more [Edit]\nend [4]")).isEqualTo("A word more\nend");
    assertThat(left(MARKS, "int[] a = b[i]; [x] [1 [ 𠮷[2]"))
        .isEqualTo("int[] a = b[i]; [x] [1 [ 𠮷");
    assertThat(removed(MARKS, "海港[1]很静[来源请求]")).isEqualTo(Map.of("citation_marks", 9L));
    assertThat(removed(MARKS, "")).isEmpty();
  }

  @Test
  void impossible_thresholds_are_refused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new C4ParagraphFilter(-1, 3))
        .withMessage("min-paragraphs: got -1.0, wanted 0 or more");
  }
}
