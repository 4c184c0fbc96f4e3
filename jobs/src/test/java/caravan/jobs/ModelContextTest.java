package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.LlamaConfig;
import caravan.model.RopeScaling;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class ModelContextTest {
  private static final LlamaConfig TRAINED =
      new LlamaConfig(16, 24, 1, 2, 1, 8, 100, 128, 10_000, 1e-5, true);

  private static LlamaConfig read(LlamaConfig trained, String... settings) {
    String[] given = Arrays.copyOf(settings, settings.length + 2);
    given[settings.length] = "checkpoint=c";
    given[settings.length + 1] = "prompt=p";
    return ConfigLoader.of(List.of(), List.of(given))
        .read(GenerateConfig.class)
        .model()
        .of(trained);
  }

  @Test
  void aCheckpointIsReadAsItWasTrainedUnlessARuleIsSet() {
    assertThat(read(TRAINED)).isEqualTo(TRAINED);
    assertThat(read(TRAINED, "model.max-position-embeddings=128")).isEqualTo(TRAINED);
  }

  @Test
  void aRuleStretchesTheContextByItsFactor() {
    assertThat(read(TRAINED, "model.rope-scaling.rope-type=linear", "model.rope-scaling.factor=4"))
        .isEqualTo(TRAINED.withContext(512, RopeScaling.linear(4)));
    assertThat(
            read(TRAINED, "model.rope-scaling.rope-type=dynamic", "model.rope-scaling.factor=2.5"))
        .isEqualTo(TRAINED.withContext(320, RopeScaling.dynamic(2.5, 128)));
    assertThat(
            read(
                TRAINED,
                "model.rope-scaling.rope-type=llama3",
                "model.rope-scaling.factor=8",
                "model.max-position-embeddings=600"))
        .isEqualTo(TRAINED.withContext(600, RopeScaling.llama3(8, 1, 4, 128)));
  }

  @Test
  void anExtendedCheckpointKeepsItsFirstContextAsTheBaseOfAnotherRule() {
    LlamaConfig extended = TRAINED.withContext(512, RopeScaling.llama3(4, 1, 4, 128));
    assertThat(
            read(extended, "model.rope-scaling.rope-type=dynamic", "model.rope-scaling.factor=8"))
        .isEqualTo(TRAINED.withContext(1024, RopeScaling.dynamic(8, 128)));
  }

  @Test
  void aLongerContextWithoutARuleIsRefused() {
    assertThatThrownBy(() -> read(TRAINED, "model.max-position-embeddings=256"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("got 256, but the context of the checkpoint is 128")
        .hasMessageContaining("model.rope-scaling.rope-type");
    assertThatThrownBy(
            () ->
                read(
                    TRAINED,
                    "model.rope-scaling.rope-type=linear",
                    "model.rope-scaling.factor=0.5"))
        .hasMessageContaining("model.rope-scaling.factor: got 0.5, wanted at least 1");
  }
}
