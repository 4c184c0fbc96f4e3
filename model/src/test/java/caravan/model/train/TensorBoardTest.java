package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Golden bytes from tensorboard 2.20.0's RecordWriter. */
class TensorBoardTest {
  @Test
  void writesTheBytesThatTensorFlowsOwnRecordWriterWrites() {
    Metrics line = line(2.5, null);
    String written =
        HexFormat.of().formatHex(TensorBoard.header())
            + HexFormat.of().formatHex(TensorBoard.events(List.of(line)));
    assertThat(written).isEqualTo(GOLDEN);
  }

  @Test
  void eachSourcesShareIsACurve() {
    String written =
        new String(
            TensorBoard.events(List.of(line(null, Map.of("zh", 0.25)))),
            StandardCharsets.ISO_8859_1);
    assertThat(written).contains("mixture/zh").doesNotContain("loss");
  }

  private static Metrics line(Double loss, Map<String, Double> mixture) {
    return new Metrics(300, 1, 1.5, loss, null, null, null, null, null, null, null, null, mixture);
  }

  private static final String GOLDEN =
      "0f000000000000006d532b091a0d627261696e2e4576656e743a32fc9851292100000000000000"
          + "017becf609000000000000f83f10ac022a130a110a0a6c6f73732f747261696e15000020409dc3af86";
}
