package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.pipeline.tokenize.SentencePieceModel;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Import of a model with a tokenizer that extends its own. */
class GrowTest {
  private static final SentencePieceModel OWN = TinyModel.TOKENIZER.model();

  @TempDir Path folder;

  private String tokenizer(SentencePieceModel model) throws IOException {
    return Files.write(folder.resolve("given.model"), model.toBytes()).toString();
  }

  private static SentencePieceModel with(List<Piece> pieces) {
    return new SentencePieceModel(pieces, OWN.trainer(), OWN.normalizer());
  }

  private static SentencePieceModel extended() {
    List<Piece> pieces = new ArrayList<>(OWN.pieces());
    float lowest = -1e6f;
    pieces.add(new Piece("\u9f98", lowest, PieceType.NORMAL));
    pieces.add(new Piece("\u9f98\u9f98", lowest - 1, PieceType.NORMAL));
    return with(pieces);
  }

  private Said importWith(String model, String tokenizer, String... more) {
    List<String> words =
        new ArrayList<>(
            List.of(
                "import",
                "input=" + model,
                "output=" + folder.resolve("out"),
                "tokenizer=" + tokenizer));
    words.addAll(List.of(more));
    return CommandLine.run(words.toArray(String[]::new));
  }

  @Test
  void importAddsARowForEachNewPiece() throws IOException {
    String model = TinyModel.write(folder.resolve("model"));
    Said said = importWith(model, tokenizer(extended()));
    assertThat(said.status()).as(said.err()).isZero();
    int old = OWN.pieces().size();
    try (Checkpoint before = Checkpoints.open(model, new Configuration());
        Checkpoint after =
            Checkpoints.open(folder.resolve("out").toString(), new Configuration())) {
      assertThat(after.config()).isEqualTo(before.config().withVocabSize(old + 2));
      assertThat(after.tokenizerFiles().get("tokenizer.model")).isEqualTo(extended().toBytes());
      int width = before.config().hiddenSize();
      for (long i = 0; i < (long) old * width; i++) {
        assertThat(after.parameters().get(i)).isEqualTo(before.parameters().get(i));
      }
      // U+9F98 is the bytes E9 BE 98; two of them have the same mean.
      for (int d = 0; d < width; d++) {
        double sum = 0;
        for (int b : new int[] {0xE9, 0xBE, 0x98}) {
          sum += before.parameters().get((long) byteId(b) * width + d);
        }
        float mean = (float) (sum / 3);
        assertThat(after.parameters().get((long) old * width + d)).isEqualTo(mean);
        assertThat(after.parameters().get((long) (old + 1) * width + d)).isEqualTo(mean);
      }
      assertThat(new ParameterLayout(after.config()).length())
          .isEqualTo(new ParameterLayout(before.config()).length() + 2L * width);
    }
  }

  private static int byteId(int value) {
    String text = String.format("<0x%02X>", value);
    for (int id = 0; id < OWN.pieces().size(); id++) {
      if (OWN.pieces().get(id).text().equals(text)) return id;
    }
    throw new AssertionError(text);
  }

  @Test
  void aLargerTokenizerThatIsNoExtensionIsRefused() throws IOException {
    List<Piece> pieces = new ArrayList<>(extended().pieces());
    pieces.set(300, new Piece("\u9f99", -2e6f, PieceType.NORMAL));
    Said said = importWith(TinyModel.write(folder.resolve("model")), tokenizer(with(pieces)));
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err())
        .contains(
            " is neither its own ("
                + String.format("%,d", OWN.pieces().size())
                + " pieces) nor an"
                + " extension of it: id 300 is ",
            "use the model's own tokenizer, or one that extend-tokenizer makes from it");
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void aModelWithoutATokenizerCannotTellWhichPiecesAreNew() throws IOException {
    String model = TinyModel.write(folder.resolve("model"), TinyModel.config(), Map.of());
    Said said = importWith(model, tokenizer(extended()));
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err())
        .contains(
            "there is no tokenizer.model in it to tell which are new; import it with its own"
                + " tokenizer first, then with the extended one");
  }
}
