package caravan.pipeline.wikitext;

import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** What a wiki link's target says about the link. */
final class LinkTarget {
  /** Namespaces whose links show a picture or nothing; English and Chinese names. */
  private static final Set<String> UNSEEN =
      Set.of(
          "file",
          "image",
          "media",
          "category",
          "文件",
          "檔案",
          "档案",
          "图像",
          "圖像",
          "图片",
          "圖片",
          "媒体",
          "媒體",
          "分类",
          "分類");

  /** Wikipedias whose code is no two-letter language code. */
  private static final Set<String> OTHER_WIKIPEDIAS =
      Set.of(
          "simple",
          "ceb",
          "war",
          "arz",
          "nds",
          "als",
          "bar",
          "scn",
          "lmo",
          "pms",
          "ast",
          "nap",
          "yue",
          "wuu",
          "gan",
          "hak",
          "cdo",
          "lzh",
          "nan",
          "vec",
          "szl",
          "hsb",
          "dsb",
          "fur",
          "sco",
          "frr",
          "ilo",
          "pam",
          "pnb",
          "sah",
          "bcl",
          "min",
          "azb",
          "mzn",
          "new",
          "bat-smg",
          "be-tarask",
          "be-x-old",
          "roa-rup",
          "roa-tara",
          "nds-nl",
          "fiu-vro",
          "map-bms",
          "cbk-zam",
          "zh-yue",
          "zh-min-nan",
          "zh-classical",
          "tokipona");

  private static final Set<String> LANGUAGES =
      new TreeSet<>(Arrays.asList(Locale.getISOLanguages()));

  /** Prefixes are short; what is longer is a title. */
  private static final int LONGEST_PREFIX = 20;

  /** Files in the namespace's name of any other language. */
  private static final Pattern PICTURE =
      Pattern.compile(
          "\\.(?:jpe?g|png|svg|gif|tiff?|webp|ogg|ogv|webm|pdf|djvu)$", Pattern.CASE_INSENSITIVE);

  private static final int LONGEST_FILE_NAME = 300;

  private LinkTarget() {}

  /** Whether readers see nothing of the link in the running text. */
  static boolean isUnseen(String text, int start, int end) {
    int i = start;
    while (i < end && (text.charAt(i) == ' ' || text.charAt(i) == '_')) {
      i++;
    }
    int colon = i;
    int limit = Math.min(end, i + LONGEST_PREFIX);
    while (colon < limit && text.charAt(colon) != ':') {
      colon++;
    }
    if (colon == limit || colon == i) {
      return false;
    }
    String prefix = text.substring(i, colon).strip().toLowerCase(Locale.ROOT);
    return UNSEEN.contains(prefix)
        || isPicture(text, colon + 1, end)
        || LANGUAGES.contains(prefix)
        || OTHER_WIKIPEDIAS.contains(prefix);
  }

  private static boolean isPicture(String text, int start, int end) {
    int limit = Math.min(end, start + LONGEST_FILE_NAME);
    int i = start;
    while (i < limit && text.charAt(i) != '|' && text.charAt(i) != '[') {
      i++;
    }
    return PICTURE.matcher(text.substring(start, i).strip()).find();
  }
}
