package caravan.pipeline.wikitext;

import java.util.Set;

/** The HTML and extension tags that MediaWiki knows; everything else in angle brackets is text. */
final class Tags {
  /** Content that no reader sees, or that is no running text. */
  static final Set<String> DROPPED =
      Set.of(
          "ref",
          "references",
          "gallery",
          "timeline",
          "imagemap",
          "score",
          "hiero",
          "graph",
          "mapframe",
          "maplink",
          "templatestyles",
          "templatedata",
          "includeonly",
          "noinclude",
          "categorytree",
          "inputbox",
          "indicator",
          "section",
          "style",
          "script",
          "rp",
          "rt",
          "langconvert");

  /** Content that is kept as it stands. */
  static final Set<String> LITERAL = Set.of("nowiki", "pre", "source", "syntaxhighlight");

  /** Content in TeX. */
  static final Set<String> MATH = Set.of("math", "chem", "ce");

  /** Elements that begin and end a line. */
  static final Set<String> BLOCKS =
      Set.of(
          "br",
          "p",
          "div",
          "blockquote",
          "center",
          "li",
          "ul",
          "ol",
          "dl",
          "dt",
          "dd",
          "tr",
          "table",
          "hr",
          "poem",
          "h1",
          "h2",
          "h3",
          "h4",
          "h5",
          "h6",
          "caption");

  private static final Set<String> INLINE =
      Set.of(
          "abbr",
          "b",
          "bdi",
          "bdo",
          "big",
          "cite",
          "code",
          "data",
          "del",
          "dfn",
          "em",
          "font",
          "i",
          "ins",
          "kbd",
          "link",
          "mark",
          "meta",
          "nobr",
          "noinclude",
          "includeonly",
          "onlyinclude",
          "q",
          "rb",
          "rbc",
          "rtc",
          "ruby",
          "s",
          "samp",
          "small",
          "span",
          "strike",
          "strong",
          "sub",
          "sup",
          "tbody",
          "td",
          "th",
          "thead",
          "time",
          "tt",
          "u",
          "var",
          "wbr",
          "translate",
          "tvar",
          "noautolinks");

  private Tags() {}

  static boolean isKnown(String name) {
    return DROPPED.contains(name)
        || LITERAL.contains(name)
        || MATH.contains(name)
        || BLOCKS.contains(name)
        || INLINE.contains(name);
  }
}
