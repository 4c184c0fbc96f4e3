package caravan.pipeline.read;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;

/**
 * The main content of a web page as plain text. What a page marks as its article is the content; in
 * a page without such a mark, the smallest element that holds most of the text outside of links.
 * Scripts, navigation and what a name calls boilerplate go, and inside the content blocks that are
 * mostly links. Only lengths and the names that sites give their elements are compared, no words of
 * the text, so that Chinese pages and manuals work as English articles do.
 */
final class HtmlExtractor {
  private static final Set<String> NEVER_CONTENT =
      Set.of(
          "script",
          "style",
          "noscript",
          "template",
          "iframe",
          "svg",
          "canvas",
          "object",
          "nav",
          "button",
          "rt",
          "rp",
          "select",
          "input",
          "textarea",
          "head",
          "audio",
          "video",
          "dialog",
          "menu");

  private static final Set<String> NEVER_ROLES = Set.of("navigation", "search", "menu", "dialog");

  /** Boilerplate, unless most of the page is inside: then they are only misused. */
  private static final Set<String> SELDOM_CONTENT = Set.of("footer", "aside", "form");

  private static final Set<String> SELDOM_ROLES = Set.of("banner", "contentinfo", "complementary");

  /** Whole names or parts between hyphens, underscores and capitals. */
  private static final Pattern BOILERPLATE =
      Pattern.compile(
          "(?:^|[ -])(?:nav|navbar|navigation|menu|sidebar|breadcrumbs?|footer|comments?|comment-?list"
              + "|disqus|share|sharing|social|adverts?|advertisement|ads?|sponsor(?:ed)?|promo|banner"
              + "|cookie|popup|modal|newsletter|subscribe|related|recommend(?:ed)?|recommendations?"
              + "|trending|pagination|pager|skip|skiplink|toolbar|topnav|bottomnav|subnav|navlist|login"
              + "|copyright|crumb|qrcode|hot-?news|tuijian|xiangguan|fenxiang|pinglun|guanggao)(?:$|[ -])");

  /** Comments are often longer than what they are about. */
  private static final Pattern COMMENTS =
      Pattern.compile("(?:^|[ -])(?:comments?|comment-?list|disqus|pinglun)(?:$|[ -])");

  /** What content management systems, English and Chinese ones, call an article's text. */
  private static final Pattern ARTICLE =
      Pattern.compile(
          "(?:^|[ -])(?:(?:article|entry|post|story|news|blog|detail|details|art|topic|single)-?"
              + "(?:body|content|contents|text|txt|con|cont|context|detail|entry|inner)"
              + "|(?:content|body)-?(?:article|body|text|txt|detail|main|area)"
              + "|artibody|endtext|js-content|rich-media-content|trs-editor|vsb-content|ctrlfscont"
              + "|markdown-body|mw-parser-output|zhengwen|rwb-zw|p-detail|text-con|txt-con|main-text)"
              + "(?:$|[ -])");

  private static final Set<String> LINK_BLOCKS =
      Set.of("ul", "ol", "dl", "table", "div", "p", "section", "li", "dd", "aside", "header");

  /** Share of the text outside of links that the content's element holds, without a mark. */
  private static final double MOST = 0.8;

  /** Share of it that boilerplate never holds. */
  private static final double HALF = 0.5;

  /** Share of it that a marked article holds at least, without boilerplate. */
  private static final double ENOUGH = 0.25;

  /** A part of the marked article that holds nearly all of it is the article. */
  private static final double NEARLY_ALL = 0.6;

  /** Share of a block's text in links from which on it is a list of links. */
  private static final double MOSTLY_LINKS = 0.6;

  /**
   * @param title of the page, empty when it has none
   * @param text of its main content, blocks on lines of their own
   */
  record Page(String title, String text) {}

  private final HtmlTree tree;

  private HtmlExtractor(HtmlTree tree) {
    this.tree = tree;
  }

  static Page extract(String html) {
    Document page = Jsoup.parse(html);
    HtmlExtractor extractor = new HtmlExtractor(new HtmlTree(page.body()));
    HtmlText text = new HtmlText();
    extractor.tree.traverse(extractor.content(), text);
    return new Page(page.title(), text.text());
  }

  /** Index of the element whose text, without what is dropped below it, is the content. */
  private int content() {
    tree.drop(0, i -> isNeverContent(tree.element(i)));
    int all = tree.plain(0);
    int[] marked = {
      marked(HtmlExtractor::isNamedArticle),
      marked(element -> element.nameIs("article")),
      marked(element -> element.nameIs("main") || element.attr("role").equals("main"))
    };
    tree.drop(
        0,
        i ->
            tree.plain(i) < mostOfBoilerplate(tree.element(i)) * all
                && Arrays.stream(marked).noneMatch(m -> m >= 0 && tree.contains(i, m)));
    int best =
        Arrays.stream(marked)
            .filter(m -> m >= 0 && tree.plain(m) >= ENOUGH * tree.plain(0))
            .findFirst()
            .orElse(0);
    int content = best > 0 && best == marked[0] ? best : holderOfMost(best);
    tree.drop(
        content,
        i ->
            LINK_BLOCKS.contains(tree.element(i).normalName())
                && tree.linkShare(i) >= MOSTLY_LINKS
                && tree.plain(i) < HALF * tree.plain(content));
    return content;
  }

  private static boolean isNeverContent(Element element) {
    return NEVER_CONTENT.contains(element.normalName())
        || NEVER_ROLES.contains(element.attr("role"))
        || element.hasAttr("hidden")
        || element.attr("aria-hidden").equals("true");
  }

  /** The share of the page that an element must hold so as not to be boilerplate. */
  private static double mostOfBoilerplate(Element element) {
    String names = names(element);
    if (COMMENTS.matcher(names).find()) {
      return MOST;
    }
    boolean seldom =
        BOILERPLATE.matcher(names).find()
            || SELDOM_CONTENT.contains(element.normalName())
            || SELDOM_ROLES.contains(element.attr("role"))
            || element.attr("style").replace(" ", "").contains("display:none");
    return seldom ? HALF : 0;
  }

  /** Class and id in lower case, parts apart by hyphens. */
  private static String names(Element element) {
    String names = element.className() + " " + element.id();
    StringBuilder parts = new StringBuilder(names.length() + 8);
    for (int i = 0; i < names.length(); i++) {
      char c = names.charAt(i);
      boolean part =
          i > 0 && Character.isUpperCase(c) && Character.isLowerCase(names.charAt(i - 1));
      parts.append(part ? "-" : "").append(c == '_' ? '-' : Character.toLowerCase(c));
    }
    return parts.toString();
  }

  /** The element that is marked as the article; -1 when none is, or several are. */
  private int marked(Predicate<Element> mark) {
    int best = -1;
    List<Integer> marked = tree.kept(0).stream().filter(i -> mark.test(tree.element(i))).toList();
    for (int i : marked) {
      if (best < 0 || tree.plain(i) > tree.plain(best)) {
        best = i;
      }
    }
    int article = best;
    for (int i : marked) {
      boolean inside = tree.contains(article, i);
      if (inside && tree.plain(i) >= NEARLY_ALL * tree.plain(best)) {
        article = i;
      } else if (!tree.contains(best, i) && tree.plain(i) >= HALF * tree.plain(best)) {
        return -1; // A thread, or a page of several articles.
      }
    }
    return article;
  }

  private static boolean isNamedArticle(Element element) {
    return element.attr("itemprop").toLowerCase(Locale.ROOT).equals("articlebody")
        || ARTICLE.matcher(names(element)).find();
  }

  /** The smallest element that holds most of what one above it holds. */
  private int holderOfMost(int root) {
    double most = MOST * tree.plain(root);
    int content = root;
    for (int i : tree.kept(root)) {
      boolean below = tree.contains(content, i);
      if (below && tree.plain(i) >= most && most > 0 && !tree.element(i).nameIs("p")) {
        content = i;
      }
    }
    return content;
  }
}
