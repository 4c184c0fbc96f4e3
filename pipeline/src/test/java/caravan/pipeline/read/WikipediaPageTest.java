package caravan.pipeline.read;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class WikipediaPageTest {
  private static final String PAGE =
      """
          <title>AT&amp;T 公司</title>
          <ns>0</ns>
          <id>12</id>
          <redirect title="甲 &quot;乙&quot;" />
          <revision>
            <id>345</id>
            <parentid>344</parentid>
            <timestamp>2024-01-02T03:04:05Z</timestamp>
            <contributor><username>u</username><id>9</id></contributor>
            <comment>&lt;text&gt;</comment>
            <model>wikitext</model>
            <format>text/x-wiki</format>
            <text bytes="12" sha1="x" xml:space="preserve">'''甲''' &amp;nbsp;&lt;ref&gt;乙&lt;/ref&gt;</text>
            <sha1>x</sha1>
          </revision>
      """;

  @Test
  void a_page_gives_its_parts() {
    assertThat(WikipediaPage.parse(PAGE))
        .isEqualTo(
            new WikipediaPage(
                12,
                "AT&T 公司",
                0,
                "甲 \"乙\"",
                "345",
                "2024-01-02T03:04:05Z",
                "'''甲''' &nbsp;<ref>乙</ref>"));
  }

  @Test
  void an_empty_text_and_several_revisions_are_fine() {
    assertThat(
            WikipediaPage.parse("<title>a</title><ns>1</ns><id>2</id><text bytes=\"0\" />").text())
        .isEmpty();
    String older = "<revision><id>1</id><text>old</text></revision>";
    assertThat(WikipediaPage.parse(PAGE.replace("<revision>", older + "<revision>")).revision())
        .isEqualTo("345");
  }

  @Test
  void what_is_missing_is_named() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WikipediaPage.parse(PAGE.replace("</text>", "")))
        .withMessage("page without text");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WikipediaPage.parse(PAGE.replace("<ns>0</ns>", "")))
        .withMessage("page without ns");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WikipediaPage.parse(PAGE.replace("<id>12<", "<id>x<")))
        .withMessage("page with id x, wanted a number");
  }
}
