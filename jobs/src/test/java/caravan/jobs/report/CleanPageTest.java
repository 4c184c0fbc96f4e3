package caravan.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.ConfigLoader;
import caravan.jobs.audit.CleanSample;
import caravan.jobs.audit.CleanSample.Told;
import caravan.pipeline.Document;
import caravan.pipeline.StageReport;
import caravan.pipeline.clean.CleanConfig;
import caravan.pipeline.clean.Cleaner;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class CleanPageTest {
  private record Settings(CleanConfig clean) {}

  private static final StageReport REPORT =
      new StageReport(
          "clean",
          2.5,
          List.of(
              new StageReport.Group("kept", "web", "zh", 70, 7100, 7000),
              new StageReport.Group("too_short", "web", "zh", 20, 200, 200),
              new StageReport.Group("too_short", "<b>books</b>", "en", 5, 50, 50),
              new StageReport.Group("language", "web", "other", 5, 500, 500)),
          Map.of("full_width", 0L, "pii_email", 100L),
          Map.of());

  private static String html() {
    Settings settings =
        ConfigLoader.of(
                List.of(),
                List.of("clean.zh.filters=[length]", "clean.zh.length.min-characters=20"))
            .read(Settings.class);
    Cleaner cleaner = new Cleaner(settings.clean());
    return CleanPage.html(
        "in & out",
        REPORT,
        new CleanSample(
            Stream.of("第１２章：春天来了，花都开了，请写信到 someone@example.org 联系我们。", "太短了，<b>春</b>天来了")
                .map(text -> new Document("id<1>", "web", "p", "", text, Map.of()))
                .map(d -> new Told(d, cleaner.explain(d)))
                .toList()));
  }

  @Test
  void theFunnelGoesFromAllDocumentsToThoseKept() {
    assertThat(html())
        .containsSubsequence(
            ">100<", ">100.0 %<", ">25<", ">25.0 %<", ">5<", ">5.0 %<", ">70<", ">70.0 %<")
        .contains("<b>7,000</b><span>characters kept, 89.2 %</span>")
        .containsSubsequence(
            "<td>too_short</td><td class=\"number\">25</td>",
            "<td>language</td><td class=\"number\">5</td>")
        .contains("<td>zh</td><td class=\"number\">90</td><td class=\"number\">70</td>");
  }

  @Test
  void editsStandBeforeAndAfterAndMeasuresBesideTheirLimits() {
    assertThat(html())
        .contains("第<del>１２</del><ins>12</ins>章")
        .contains("<del>someone@example.org</del><ins>&lt;EMAIL&gt;</ins>")
        .contains("<h4>too_short</h4>", "length: code points; at least 20; 1 of 2 beyond")
        .contains("太短了，&lt;b&gt;春");
  }

  @Test
  void thePageIsWholeByItselfAndTextsAreEscaped() {
    assertThat(html())
        .doesNotContain("<script", "<b>books", "id<1>", "href=", "src=", "@import", "url(")
        .contains("&lt;b&gt;books&lt;/b&gt;", "in &amp; out", "<meta charset=\"utf-8\">");
  }
}
