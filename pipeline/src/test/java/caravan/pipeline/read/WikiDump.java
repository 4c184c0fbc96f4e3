package caravan.pipeline.read;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;

/** A small dump as MediaWiki's export writes it (schema 0.11), plain and as multistream bzip2. */
public final class WikiDump {
  private static final String HEAD =
      """
      <mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="zh">
        <siteinfo>
          <sitename>Wikipedia</sitename>
          <dbname>zhwiki</dbname>
          <base>https://zh.wikipedia.org/wiki/Wikipedia:%E9%A6%96%E9%A1%B5</base>
          <generator>MediaWiki 1.43.0</generator>
          <case>first-letter</case>
          <namespaces>
            <namespace key="0" case="first-letter" />
            <namespace key="10" case="first-letter">Template</namespace>
          </namespaces>
        </siteinfo>
      """;

  private WikiDump() {}

  /** A page element; {@code redirect} empty for none. */
  public static String page(int id, int namespace, String title, String redirect, String text) {
    String target =
        redirect.isEmpty() ? "" : "    <redirect title=\"%s\" />\n".formatted(escaped(redirect));
    return """
          <page>
            <title>%s</title>
            <ns>%d</ns>
            <id>%d</id>
        %s    <revision>
              <id>%d</id>
              <parentid>%d</parentid>
              <timestamp>2024-01-02T03:04:05Z</timestamp>
              <contributor>
                <username>编辑者</username>
                <id>7</id>
              </contributor>
              <comment>/* 历史 */</comment>
              <origin>5</origin>
              <model>wikitext</model>
              <format>text/x-wiki</format>
              <text bytes="%d" sha1="abc" xml:space="preserve">%s</text>
              <sha1>abc</sha1>
            </revision>
          </page>
        """
        .formatted(
            escaped(title),
            namespace,
            id,
            target,
            1_000 + id,
            900 + id,
            text.length(),
            escaped(text));
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }

  public static byte[] xml(List<String> pages) {
    return (HEAD + String.join("", pages) + "</mediawiki>\n").getBytes(StandardCharsets.UTF_8);
  }

  /**
   * A stream with the head, then streams of so many pages each, then one with the end.
   *
   * @param pagesPerStream Wikimedia's dumps: 100
   */
  public static byte[] multistream(List<String> pages, int pagesPerStream) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    stream(out, HEAD);
    for (int at = 0; at < pages.size(); at += pagesPerStream) {
      stream(out, String.join("", pages.subList(at, Math.min(pages.size(), at + pagesPerStream))));
    }
    stream(out, "</mediawiki>\n");
    return out.toByteArray();
  }

  private static void stream(ByteArrayOutputStream out, String text) throws IOException {
    try (var stream = new BZip2CompressorOutputStream(out, 1)) {
      stream.write(text.getBytes(StandardCharsets.UTF_8));
    }
  }
}
