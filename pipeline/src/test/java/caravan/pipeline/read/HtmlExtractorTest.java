package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class HtmlExtractorTest {
  @Test
  void an_article_stands_without_its_page_furniture() {
    HtmlExtractor.Page page =
        HtmlExtractor.extract(
            """
            <html><head><title>港口的清晨</title><style>p {}</style></head><body>
            <div id="topNav"><a href="/">首页</a> <a href="/news">新闻</a></div>
            <div class="main-wrap"><div class="content">
              <h1>港口的清晨</h1>
              <p>清晨的港口十分<b>安静</b>，只有几只海鸥在水面上
              盘旋。<script>track()</script></p>
              <p>一位老人坐在墙边，<a href="/nets">修补渔网</a>。<br>多年来他一直如此。</p>
              <ul class="related"><li><a href="1">相关新闻一</a></li></ul>
              <p><a href="2">上一篇</a> <a href="3">下一篇</a></p>
            </div></div>
            <div class="sidebar">热门标签：港口，海鸥，渔网</div>
            <footer>版权所有 2024</footer></body></html>""");
    assertThat(page.title()).isEqualTo("港口的清晨");
    assertThat(page.text())
        .isEqualTo(
            """
            港口的清晨

            清晨的港口十分安静，只有几只海鸥在水面上盘旋。

            一位老人坐在墙边，修补渔网。
            多年来他一直如此。""");
  }

  @Test
  void a_javadoc_page_keeps_descriptions_code_and_tables() {
    String text =
        HtmlExtractor.extract(
                """
                <body class="class-declaration-page"><div class="flex-box">
                <header role="banner"><nav role="navigation"><div class="top-nav" id="navbar.top">
                <ul class="nav-list"><li><a href="index.html">概览</a></li></ul></div></nav></header>
                <div class="flex-content"><main role="main">
                <div class="header"><h1 title="类 StrUtil" class="title">类 StrUtil</h1></div>
                <section class="description"><dl class="notes"><dt>所有已实现的接口:</dt>
                <dd><a href="a.html">Serializable</a></dd></dl>
                <div class="block">字符串工具类，提供<code>format</code>等方法。</div></section>
                <pre>StrUtil.format("a {}",
                    1);</pre>
                <table><tr><th>方法</th><th>说明</th></tr>
                <tr><td><code>trim</code></td><td>除去首尾空白</td></tr></table>
                </main><footer role="contentinfo"><p>Copyright</p></footer></div></div></body>""")
            .text();
    assertThat(text)
        .isEqualTo(
            """
            类 StrUtil

            所有已实现的接口:

            字符串工具类，提供format等方法。

            StrUtil.format("a {}",
                1);

            方法 说明
            trim 除去首尾空白""");
  }

  @Test
  void a_page_that_calls_everything_a_menu_is_not_emptied() {
    assertThat(HtmlExtractor.extract("<div class=menu><p>全部的正文都在这里。</p></div>").text())
        .isEqualTo("全部的正文都在这里。");
  }

  @Test
  void an_empty_page_and_bare_text_are_fine() {
    assertThat(HtmlExtractor.extract("").text()).isEmpty();
    assertThat(HtmlExtractor.extract("<nav>only</nav>").text()).isEmpty();
    assertThat(HtmlExtractor.extract("no tags, 没有标签 𠮷").text()).isEqualTo("no tags, 没有标签 𠮷");
  }

  @Test
  void deeply_nested_pages_do_not_overflow_the_stack() {
    String html = "<div>".repeat(20_000) + "deep" + "</div>".repeat(20_000);
    assertThat(HtmlExtractor.extract(html).text()).isEqualTo("deep");
  }

  private static final String ARTICLE =
      "<p>清晨的港口十分安静，只有几只海鸥在水面上盘旋。</p><p>一位老人坐在墙边，修补渔网，多年来他一直如此。</p>";

  private static final String ARTICLE_TEXT = "清晨的港口十分安静，只有几只海鸥在水面上盘旋。\n\n一位老人坐在墙边，修补渔网，多年来他一直如此。";

  @Test
  void a_marked_article_wins_over_longer_comments_and_excerpts_of_others() {
    String comment = "<div class=\"comment\"><p>这篇文章写得很好，我也去过那个港口，那里的早晨确实很安静。</p></div>";
    String other = "<div class=\"item\"><h3><a href=x>另一篇</a></h3><p>另一篇文章的摘要，说的是山里的村庄。</p></div>";
    for (String mark :
        List.of(
            "class=\"article-content\"",
            "itemprop=articleBody",
            "id=js_content",
            "class=TRS_Editor")) {
      String page =
          "<body><div id=wrap><div %s>%s</div><div id=commentsContainer>%s</div><div class=list>%s</div></div>"
              .formatted(mark, ARTICLE, comment.repeat(4), other.repeat(3));
      assertThat(HtmlExtractor.extract(page).text()).as(mark).isEqualTo(ARTICLE_TEXT);
    }
  }

  @Test
  void a_thread_of_several_posts_stays_whole() {
    String post = "<div class=\"post-content\"><p>第%d楼的发言，说的是港口和海鸥，还有修补渔网的老人。</p></div>";
    assertThat(HtmlExtractor.extract(post.formatted(1) + post.formatted(2)).text())
        .contains("第1楼", "第2楼");
  }

  @Test
  void a_page_inside_of_a_form_is_no_form() {
    String page =
        "<form id=aspnetForm><div class=sidebar>热门</div>" + ARTICLE + "<form>搜索</form></form>";
    assertThat(HtmlExtractor.extract(page).text()).startsWith(ARTICLE_TEXT);
  }

  @Test
  void line_breaks_between_chinese_lines_are_none_and_between_words_are_blanks() {
    assertThat(HtmlExtractor.extract("<p>第一行，\n  第二行\nand more\nwords &nbsp; 中 文</p>").text())
        .isEqualTo("第一行，第二行 and more words 中 文");
  }

  @Test
  void a_page_of_10_megabytes_takes_time_linear_in_its_length() {
    String row = "<div class=\"nav item\"><a href=x>链接</a></div><p>正文，正文。<b>粗</b></p><nav>x</nav>";
    String page = row.repeat(10_000_000 / row.length());
    long start = System.nanoTime();
    assertThat(HtmlExtractor.extract(page).text()).startsWith("正文，正文。粗\n\n正文");
    assertThat((System.nanoTime() - start) / 1e9).isLessThan(30);
  }

  @Test
  void an_article_element_is_the_content_also_in_a_wrapper_with_a_name_of_boilerplate() {
    String page = "<div class=\"sharing-container\"><article>%s</article></div><p>%s</p>";
    assertThat(HtmlExtractor.extract(page.formatted(ARTICLE, "别处的一段文字。".repeat(5))).text())
        .isEqualTo(ARTICLE_TEXT);
  }

  @Test
  void readings_above_characters_are_left_out() {
    assertThat(
            HtmlExtractor.extract("<p><ruby>漢<rp>(</rp><rt>hàn</rt><rp>)</rp></ruby>字</p>").text())
        .isEqualTo("漢字");
  }
}
