package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;

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

            清晨的港口十分安静，只有几只海鸥在水面上 盘旋。

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
}
