package caravan.pipeline.wikitext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class WikitextTest {
  private static final Map<String, String> TEMPLATES =
      Map.of("lang", "$2", "lang-*", "$1", "convert", "$1 $2", "snd", " – ", "nowrap", "$1");

  private static final WikitextConfig CONFIG =
      new WikitextConfig("zh-hans", TEMPLATES, List.of("参考文献", "References"));

  private static String text(String wikitext) {
    return Wikitext.of(wikitext, CONFIG).text();
  }

  @Test
  void an_article_becomes_its_running_text() {
    assertThat(
            text(
                """
                {{NoteTA|G1=IT|1=zh-cn:鼠标;zh-tw:滑鼠}}
                {{Infobox 城市
                | 名稱 = 港城 | 圖 = [[File:a.jpg|{{px|20}}]]
                | 人口 = {{formatnum:{{#expr: 1+2}}}}
                }}<!-- 注释 -->
                '''港城'''（{{lang-en|Port City}}，{{IPA|abc}}），简称'''''港'''''，是[[河口]]的一座[[城市|滨海城市]]<ref name="a">{{cite web|title=x}}</ref>。
                [[File:港.jpg|thumb|right|200px|[[港口]]的清晨，[https://x.org 摄影]]]

                == 历史 ==
                1900年-{zh-hans:计算机;zh-hant:電腦}-尚未出现<ref name="a" />。
                === 古代 ===
                * 第一项，见[https://example.org 官方网站]
                ** 第二项[https://example.org]
                # 编号&nbsp;&amp;&#20013;
                : 缩进

                == 地理 ==
                {| class="wikitable"
                ! 年 !! 人口
                |-
                | 1990 || {{nowrap|1,000}}
                {| class="inner"
                | 内
                |}
                |}

                == 参考文献 ==
                {{reflist}}
                * 一本书
                == 外部链接 ==
                {{commons|x}}
                [[Category:城市]] [[en:Port City]]
                __NOTOC__
                """))
        .isEqualTo(
            """
            港城（Port City），简称港，是河口的一座滨海城市。

            历史
            1900年计算机尚未出现。
            古代
            第一项，见官方网站
            第二项
            编号 &中
            缩进""");
  }

  @Test
  void templates_leave_what_their_pattern_says() {
    assertThat(text("a {{convert|10|km|mi}} b")).isEqualTo("a 10 km b");
    assertThat(text("a{{snd}}b {{Lang-fr|2=no|[[un|une]]}} {{lang|1=de|2=''zwei''}}"))
        .isEqualTo("a – b une zwei");
    assertThat(text("{{nowrap|{{lang|en|deep {{unknown|x}} text}}}}")).isEqualTo("deep text");
    assertThat(text("{{nowrap|a=b|c}}")).isEqualTo("c");
    assertThat(text("x {{{1|{{PAGENAME}}}}} y {{#if: a | b }}z")).isEqualTo("x y z");
    assertThat(text("{{{{{1}}}|x}}{{{a}}}b")).isEqualTo("b");
  }

  @Test
  void brackets_that_a_template_left_empty_go_and_others_stay() {
    assertThat(text("上海（{{x}}，简称：沪）与北京（{{y}}）")).isEqualTo("上海（简称：沪）与北京");
    assertThat(text("Foo ({{IPA|x}}; born {{b}}, 1900, {{c}}) calls f() twice"))
        .isEqualTo("Foo (born, 1900) calls f twice");
    assertThat(text("f() stays")).isEqualTo("f() stays");
  }

  @Test
  void links_show_their_labels() {
    assertThat(text("[[a]]s [[b|c]] [[:Category:d]] [[:en:e|f]] [[g|]] [[h#i|]] [[j|k|l]]"))
        .isEqualTo("as c Category:d f g h#i k|l");
    assertThat(text("[[Re:从零开始]] [[文件:x.png|缩略图|说明[[y]]]]后 [[分类:z]]")).isEqualTo("Re:从零开始 后");
    assertThat(text("[[a|[[b|c]] d]] [//x.org y z] [mailto:a@b.c] [1] https://x.org"))
        .isEqualTo("c d y z [1] https://x.org");
  }

  @Test
  void variants_resolve_to_the_configured_one() {
    String rule = "-{zh-cn:软件; zh-tw:軟體; zh-hk:軟件;}-";
    assertThat(text(rule)).isEqualTo("软件");
    assertThat(Wikitext.of(rule, new WikitextConfig("zh-tw", Map.of(), List.of())).text())
        .isEqualTo("軟體");
    assertThat(Wikitext.of(rule, new WikitextConfig("zh-mo", Map.of(), List.of())).text())
        .isEqualTo("軟件");
    assertThat(Wikitext.of("x-{y}-", new WikitextConfig("", Map.of(), List.of())).text())
        .isEqualTo("x-{y}-");
    assertThat(
            text(
                "-{H|zh-cn:a;zh-tw:b}--{T|zh-cn:c}--{A|zh-cn:d;zh-tw:e}--{R|f}--{g}--{zh-hans|h}-"))
        .isEqualTo("dfgh");
    assertThat(text("[[a|-{zh-hans:[[b|甲]]{{x|}};zh-hant:[[c|乙]]}-]]")).isEqualTo("甲");
    assertThat(text("-{zh-hans:外-{zh-hans:内;zh-hant:內}-;zh-hant:其他}-")).isEqualTo("外内");
    assertThat(text("1990年-{{date}}今 -{巨集=>zh-hans:宏;}-")).isEqualTo("1990年-今 宏");
  }

  @Test
  void code_and_formulas_stay_as_they_are() {
    assertThat(text("<nowiki>[[x]] {{y}}</nowiki> <math>a^{2}\n + {{b}}</math>。"))
        .isEqualTo("[[x]] {{y}} $a^{2} + {{b}}$。");
    assertThat(
            text(
                "见\n<syntaxhighlight lang=\"c\">\nint  f() {\n  '''x''';\n}\n</syntaxhighlight>\n后"))
        .isEqualTo("见\nint  f() {\n  '''x''';\n}\n后");
    assertThat(text("<pre>a &lt; b\n  c</pre>d")).isEqualTo("a < b\n  c\nd");
  }

  @Test
  void html_is_taken_off_and_what_it_hides_too() {
    assertThat(
            text(
                "a<br/>b <span style=\"display: none\">x<span>y</span>z</span>c <u>d</u> 1 < 2 <foo>"))
        .isEqualTo("a\nb c d 1 < 2 <foo>");
    assertThat(text("x<gallery>\nFile:a.jpg|b\n</gallery><references/>y<ref>open"))
        .isEqualTo("xyopen");
    assertThat(text("<table><tr><td>a</td></tr></table>b <poem>c\nd</poem>")).isEqualTo("b\nc\nd");
    assertThat(text("H<sub>2</sub>O, m<sup>2</sup>, it's ''''quoted''''"))
        .isEqualTo("H2O, m2, it's 'quoted'");
  }

  @Test
  void marks_without_a_partner_do_not_swallow_the_page() {
    assertThat(text("{{Infobox\n| a = b\n正文。\n")).isEqualTo("正文。");
    assertThat(text("{| class=x\n| cell\n|-\n正文在后。")).isEqualTo("正文在后。");
    assertThat(text("前 [[未闭合 后 [[链接]]。\n}} ]] 末")).isEqualTo("前 未闭合 后 链接。\n末");
    assertThat(text("<!-- open")).isEmpty();
    assertThat(text("{{a|[[b}} c {{{d}} e")).isEqualTo("c { e");
    assertThat(text("")).isEmpty();
    assertThat(text("𠮷 '''𠮷''' [[𠮷|𠮷]]")).isEqualTo("𠮷 𠮷 𠮷");
  }

  @Test
  void sections_without_text_leave_no_heading() {
    assertThat(
            text(
                "头\n== a ==\n=== b ===\n{{x}}\n== c ==\nd\n=== e ===\n== References ==\nf\n=== g ===\nh"))
        .isEqualTo("头\nc\nd");
  }

  @Test
  void disambiguation_pages_are_known_by_their_templates() {
    for (String template :
        List.of(
            "{{disambig}}",
            "{{Human name disambiguation}}",
            "{{消歧义}}",
            "{{中国地名消歧義}}",
            "{{Hndis|x}}")) {
      assertThat(Wikitext.of("a\n" + template, CONFIG).disambiguation()).as(template).isTrue();
    }
    assertThat(Wikitext.of("a {{disambiguation needed}} {{dablink|b}}", CONFIG).disambiguation())
        .isFalse();
  }

  @Test
  void hostile_pages_take_linear_time_and_no_stack() {
    for (String unit :
        List.of(
            "{{",
            "}}",
            "[[",
            "]]",
            "[[a|",
            "{{lang|en|",
            "-{",
            "-{zh-hans:",
            "}-",
            "<ref>",
            "<div>",
            "</div>",
            "<span>{{",
            "{|\n",
            "\n|}",
            "[http://a ",
            "''",
            "<!--",
            "&",
            "__A",
            "==\n",
            "\n= a",
            "((",
            "（，",
            ", )",
            "<a",
            "<div ",
            "[[File:",
            "{{{",
            "{{}",
            "\n*",
            "</ref",
            "<math>",
            "|",
            "=",
            "_")) {
      String page = unit.repeat(500_000 / unit.length());
      long start = System.nanoTime();
      text(page);
      text("{{" + page + "}}");
      text("[[" + page + "]}-}-]]");
      text("{{x}}" + page);
      assertThat((System.nanoTime() - start) / 1e9).as(unit).isLessThan(5);
    }
  }

  @Test
  void an_unknown_variant_is_named() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new WikitextConfig("zh-xx", Map.of(), List.of()))
        .withMessageStartingWith("read.wikipedia.variant: got zh-xx, wanted zh-hans, zh-hant");
  }
}
