package caravan.pipeline.clean;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.Tagged;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CleanStageTest {
  private static final String PORT =
      "清晨的港口十分安静，只有几只海鸥在水面上盘旋。一位戴着蓝色帽子的老人坐在墙边修补渔网，多年来他一直如此。" + "他的邮箱是a@b.cn。";

  @Test
  void says_of_a_document_what_becomes_of_it_and_keeps_the_rest_of_the_record() {
    CleanStage stage = new CleanStage(ReferenceConf.read("clean", CleanConfig.class));
    Tagged kept =
        stage.tag(
            new Document("1", "s", "p", "", " " + PORT, Map.of("url", "u", "script", "Hans")));
    assertThat(kept)
        .isEqualTo(
            new Tagged(
                new Document(
                    "1",
                    "s",
                    "p",
                    "zh",
                    PORT.replace("a@b.cn", "<EMAIL>"),
                    Map.of("url", "u", "script", "Hans")),
                Documents.KEPT,
                "",
                PORT.length() + 1,
                Map.of("whitespace", 1L, "pii_email", -1L)));

    Tagged dropped = stage.tag(new Document("2", "s", "p", "", "太短", Map.of()));
    assertThat(dropped.reason()).isEqualTo("too_short");
    assertThat(dropped.detail()).isEqualTo("2 code points, minimum 50");
  }
}
