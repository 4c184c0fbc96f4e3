package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Golden bytes from tensorboard 2.20.0's RecordWriter. */
class TensorBoardTest {
  @Test
  void writesTheBytesThatTensorFlowsOwnRecordWriterWrites() {
    Metrics line = new Metrics(300, 1, 1.5, 2.5, null, null, null, null);
    String written =
        HexFormat.of().formatHex(TensorBoard.header())
            + HexFormat.of().formatHex(TensorBoard.events(List.of(line)));
    assertThat(written).isEqualTo(GOLDEN);
  }

  private static final String GOLDEN =
      "0f000000000000006d532b091a0d627261696e2e4576656e743a32fc9851292100000000000000"
          + "017becf609000000000000f83f10ac022a130a110a0a6c6f73732f747261696e15000020409dc3af86";
}
