package caravan.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.StringReader;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;

class ChartTest {
  private static Document parse(String xml) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(xml)));
  }

  @Test
  void aCurveRunsFromTheLeftEdgeToTheRightAndFallsWithItsValues() throws Exception {
    String svg =
        new LineChart("step", "loss")
            .curve("train", new double[] {0, 50, 100}, new double[] {8, 5, 4})
            .level("bigram", 5.25)
            .svg();
    Element curve = (Element) parse(svg).getElementsByTagName("polyline").item(0);
    assertThat(curve.getAttribute("points")).isEqualTo("62.0,14.0 376.0,240.5 690.0,316.0");
    assertThat(svg).contains("train 4.000", "bigram 5.250", ">step<", ">loss<");
  }

  @Test
  void ticksAreRoundNumbersAroundTheValues() {
    LineChart.Axis axis = LineChart.Axis.over(new double[] {3.71, 8.02}, 0, 100);
    assertThat(axis.ticks()).containsExactly(3, 4, 5, 6, 7, 8, 9);
    assertThat(axis.at(3)).isZero();
    assertThat(axis.at(9)).isEqualTo(100);
    assertThat(LineChart.Axis.label(20_000)).isEqualTo("20,000");
    assertThat(LineChart.Axis.label(0.25)).isEqualTo("0.25");
  }

  @Test
  void aChartWithoutSpreadOrValuesIsStillAPicture() throws Exception {
    parse(new LineChart("x", "y").svg());
    parse(new LineChart("x", "y").curve("a", new double[] {1}, new double[] {2}).svg());
    parse(BarChart.svg("nothing", List.of()));
  }

  @Test
  void barsAreInProportion() throws Exception {
    Document svg =
        parse(
            BarChart.svg(
                "dropped",
                List.of(new BarChart.Bar("too_short", 200), new BarChart.Bar("pii", 50))));
    assertThat(((Element) svg.getElementsByTagName("rect").item(0)).getAttribute("width"))
        .isEqualTo("510.0");
    assertThat(((Element) svg.getElementsByTagName("rect").item(1)).getAttribute("width"))
        .isEqualTo("127.5");
  }

  @Test
  void unequalCoordinatesAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new LineChart("x", "y").curve("a", new double[2], new double[3]))
        .withMessage("curve a: got 2 x and 3 y values");
  }

  @Test
  void textOfAnyKindCannotBreakThePage() {
    String page =
        new Page("a < b")
            .table(List.of("名", "n"), List.of(List.of("<script>", 12_345)))
            .sample("\"问\"", "答 & </blockquote>")
            .html();
    assertThat(page)
        .contains("<td>&lt;script&gt;</td><td class=\"number\">12,345</td>")
        .contains("<b>&quot;问&quot;</b>答 &amp; &lt;/blockquote&gt;</blockquote>")
        .doesNotContain("http");
  }
}
