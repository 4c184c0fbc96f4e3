package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import caravan.pipeline.ReferenceConf;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PageLinesTest {
  private static final PageLines ZH = ReferenceConf.read("clean.zh.page-lines", PageLines.class);
  private static final PageLines EN = ReferenceConf.read("clean.en.page-lines", PageLines.class);
  private static final PageLines RULE =
      new PageLines(6, new Phrases(List.of("next page", "上一篇")), new Phrases(List.of("加微信")));

  private static TextEdit.Edited edit(LineRule rule, String text) {
    return rule.edit(Passage.of(text));
  }

  @Test
  void short_lines_with_a_phrase_go_and_long_ones_stay() {
    assertThat(edit(RULE, "上一篇：春\n正文在此。\n加微信😀😀"))
        .isEqualTo(
            new TextEdit.Edited("正文在此。", Map.of("line_navigation", 6L, "line_advertising", 6L)));
    assertThat(edit(RULE, "上一篇文章写得很好").text()).isEqualTo("上一篇文章写得很好");
    assertThat(edit(RULE, "加微信😀😀😀").removed()).as("six code points").isNotEmpty();
    assertThat(edit(RULE, "加微信😀😀😀😀").removed()).as("seven code points").isEmpty();
  }

  @Test
  void latin_phrases_are_whole_words_in_any_case() {
    PageLines rule = new PageLines(99, new Phrases(List.of("Log in")), new Phrases(List.of()));
    assertThat(edit(rule, "LOG IN").text()).isEmpty();
    assertThat(edit(rule, "请log in，谢谢").text()).isEmpty();
    assertThat(edit(rule, "a blog in print").text()).isEqualTo("a blog in print");
    assertThat(edit(rule, "log into").text()).isEqualTo("log into");
  }

  @Test
  void paragraphs_and_indentation_stay_as_they_were() {
    assertThat(edit(RULE, "one\n\n上一篇\ntwo").text()).isEqualTo("one\n\ntwo");
    assertThat(edit(RULE, "one\n上一篇\n上一篇\n  two").text()).isEqualTo("one\n  two");
    assertThat(edit(RULE, "one\n  上一篇\n\n上一篇\n\ntwo\n").text()).isEqualTo("one\n\ntwo\n");
    assertThat(edit(RULE, "上一篇\n\n  two\n\nthree").text()).isEqualTo("  two\n\nthree");
    assertThat(edit(RULE, "one\n\n上一篇\n").text()).isEqualTo("one");
  }

  @Test
  void a_sentence_goes_only_when_it_begins_with_a_phrase() {
    PageLines rule = new PageLines(20, new Phrases(List.of("下一页")), new Phrases(List.of()));
    assertThat(edit(rule, "转到下一页。").text()).isEqualTo("转到下一页。");
    assertThat(edit(rule, "转到下一页").text()).isEmpty();
    assertThat(edit(rule, "下一页：春天来了。").text()).isEmpty();
  }

  @Test
  void nothing_to_remove_leaves_the_very_text() {
    for (String text : List.of("", "\n", "𠮷野家😀\n\n  mixed 中文 text\n")) {
      TextEdit.Edited edited = edit(RULE, text);
      assertThat(edited.text()).isSameAs(text);
      assertThat(edited.removed()).isEmpty();
    }
  }

  @Test
  void every_code_point_is_kept_or_accounted_for() {
    Random random = new Random(5);
    String[] pieces = {
      "上一篇", "\n", "\n\n", "  ", "正文😀", "加微信", "next page", "𠮷", " \n ", "long line"
    };
    for (int round = 0; round < 2000; round++) {
      StringBuilder built = new StringBuilder();
      random.ints(random.nextInt(14), 0, pieces.length).forEach(i -> built.append(pieces[i]));
      String text = built.toString();
      TextEdit.Edited edited = edit(RULE, text);
      long removed = edited.removed().values().stream().mapToLong(Long::longValue).sum();
      assertThat(edited.text().codePoints().count() + removed)
          .as(text)
          .isEqualTo(text.codePoints().count());
      assertThat(edit(RULE, edited.text()).removed()).as("nothing is left to remove").isEmpty();
    }
  }

  @Test
  void the_lists_find_what_pages_say_and_spare_prose() {
    for (String line : List.of("阅读全文", "上一篇：春天来了", "版权所有 京ICP备12345678号", "加微信 abc123456 领取优惠券")) {
      assertThat(edit(ZH, line).text()).as(line).isEmpty();
    }
    for (String line : List.of("Share on Facebook", "(c) 2019 Acme, all rights reserved")) {
      assertThat(edit(EN, line).text()).as(line).isEmpty();
    }
    String prose = "他在上一篇文章里写道，版权所有者应当得到尊重，未经授权的转载损害了作者的利益，也损害了读者的利益。";
    assertThat(edit(ZH, prose).text()).isEqualTo(prose);
    String english =
        "Under the new law all rights reserved by the author pass to the heirs, who may publish the work.";
    assertThat(edit(EN, english).text()).isEqualTo(english);
  }

  @Test
  void wrong_settings_are_refused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new PageLines(-1, new Phrases(List.of()), new Phrases(List.of())))
        .withMessage("max-characters: got -1.0, wanted 0 or more");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Phrases(List.of("a", " ")))
        .withMessage("phrases: got an empty one among [a,  ]");
  }
}
