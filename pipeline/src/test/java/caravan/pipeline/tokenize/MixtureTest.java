package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import caravan.pipeline.dedup.TextKey;
import caravan.pipeline.shard.ShardFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class MixtureTest {
  private static final List<Mixture.Group> GROUPS =
      List.of(
          new Mixture.Group("web", "en", 6000),
          new Mixture.Group("web", "zh", 2000),
          new Mixture.Group("wiki", "zh", 1000));

  private static MixtureRule epochs(String source, String language, double epochs) {
    return new MixtureRule(source, language, epochs, null);
  }

  private static MixtureRule weight(String source, String language, double weight) {
    return new MixtureRule(source, language, null, weight);
  }

  @Test
  void theFirstRuleThatMatchesCountsAndTheRestIsWrittenOnce() {
    Mixture mixture =
        Mixture.of(List.of(epochs("wiki", null, 2.5), epochs(null, "zh", 0.5)), GROUPS);
    assertThat(mixture.epochs("wiki", "zh")).isEqualTo(2.5);
    assertThat(mixture.epochs("web", "zh")).isEqualTo(0.5);
    assertThat(mixture.epochs("web", "en")).isEqualTo(1);
  }

  @Test
  void weightsShareTheTokensOfTheirRulesAndKeepTheirSum() {
    Mixture mixture =
        Mixture.of(
            List.of(weight("web", "en", 1), weight(null, "zh", 3)), GROUPS); // 9,000 tokens: 1 : 3
    assertThat(mixture.epochs("web", "en")).isEqualTo(0.25 * 9000 / 6000);
    assertThat(mixture.epochs("web", "zh")).isEqualTo(0.75 * 9000 / 3000);
    assertThat(mixture.epochs("wiki", "zh")).isEqualTo(0.75 * 9000 / 3000);
    double after =
        GROUPS.stream().mapToDouble(g -> g.size() * mixture.epochs(g.source(), g.language())).sum();
    assertThat(after).isEqualTo(9000, within(1e-9));
  }

  @Test
  void rulesWithEpochsTakeNoPartInTheWeights() {
    Mixture mixture =
        Mixture.of(
            List.of(epochs("wiki", null, 4), weight("web", "en", 50), weight("web", "zh", 50)),
            GROUPS);
    assertThat(mixture.epochs("wiki", "zh")).isEqualTo(4);
    assertThat(mixture.epochs("web", "en")).isEqualTo(4000.0 / 6000);
    assertThat(mixture.epochs("web", "zh")).isEqualTo(2);
  }

  @Test
  void twoAndAHalfEpochsAreTwoCopiesAndHalfOfTheDocumentsAThirdTime() {
    Mixture mixture = Mixture.of(List.of(epochs("wiki", null, 2.5)), GROUPS);
    long[] keys = new Random(7).longs(4000).toArray();
    long three = LongStream.of(keys).filter(k -> mixture.copies("wiki", "zh", k, 42) == 3).count();
    long two = LongStream.of(keys).filter(k -> mixture.copies("wiki", "zh", k, 42) == 2).count();
    assertThat(three + two).isEqualTo(4000);
    assertThat(three).isBetween(1900L, 2100L); // 2000 ± 3 standard deviations of 32
    long same =
        LongStream.of(keys)
            .filter(k -> mixture.copies("wiki", "zh", k, 42) == mixture.copies("wiki", "zh", k, 43))
            .count();
    assertThat(same).isBetween(1900L, 2100L);
    assertThat(LongStream.of(keys).mapToInt(k -> mixture.copies("web", "en", k, 42)))
        .containsOnly(1);
  }

  @Test
  void aRuleThatMatchesNothingNamesWhatThereIs() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Mixture.of(List.of(epochs("wikipedia", "zh", 2)), GROUPS))
        .withMessage(
            "tokenize.mixture: source wikipedia, language zh: no training document is of it."
                + " There are web en (6,000 tokens), web zh (2,000 tokens), wiki zh (1,000 tokens)");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> Mixture.of(List.of(epochs(null, "zh", 2), epochs("wiki", null, 3)), GROUPS))
        .withMessageContaining("source wiki: earlier rules take all of its training documents");
  }

  @Test
  void aRuleThatMatchesNothingIsKnownBeforeAnythingIsEncoded() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Mixture.check(List.of(epochs("news", null, 2)), GROUPS))
        .withMessageContaining(
            "source news: no training document is of it. There are web en (6,000 characters)");
    Mixture.check(List.of(epochs("web", null, 2)), GROUPS);
  }

  @Test
  void rulesThatSayTooLittleTooMuchOrNonsenseAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> epochs("", null, 2))
        .withMessageContaining("got a rule without source and language");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MixtureRule("wiki", null, null, null))
        .withMessage(
            "tokenize.mixture: the rule for source wiki has neither epochs nor weight, wanted one"
                + " of them");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MixtureRule("wiki", "zh", 1.0, 1.0))
        .withMessageContaining("source wiki, language zh has epochs and weight");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> epochs("wiki", null, -1))
        .withMessageContaining("epochs -1.0, wanted 0 to 1000");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> weight("wiki", null, 0))
        .withMessageContaining(
            "weight 0.0, wanted a number above 0; to leave it out set epochs = 0");
  }

  @Test
  void aTextKeepsItsSplitWhenTheOtherFractionChanges() {
    TokenizeConfig one = config(0.1, 0.1);
    TokenizeConfig other = config(0.3, 0.1);
    int validation = 0;
    int test = 0;
    for (int i = 0; i < 2000; i++) {
      long key = new TextKey().of("文章 number " + i);
      String split = one.split(key);
      validation += split.equals("validation") ? 1 : 0;
      test += split.equals("test") ? 1 : 0;
      if (!split.equals("train")) {
        assertThat(other.split(key)).isEqualTo(split);
      }
    }
    assertThat(validation).isBetween(160, 240); // 200 ± 3 standard deviations of 13
    assertThat(test).isBetween(160, 240);
    assertThat(new TextKey().of(" 文章\r\n number  1 ")).isEqualTo(new TextKey().of("文章 number 1"));
  }

  @Test
  void fractionsThatLeaveNothingForTrainingAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> config(0.5, 0.5))
        .withMessageContaining("got 0.5 and 0.5, wanted a sum below 1");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> config(0.1, -0.1))
        .withMessage("tokenize.test-fraction: got -0.1, wanted 0 to below 1");
  }

  private static TokenizeConfig config(double validation, double test) {
    return new TokenizeConfig(
        validation,
        test,
        List.of(),
        List.of(),
        List.of(),
        1000,
        true,
        Encoder.SPARK_NLP,
        ShardFormat.CARAVAN);
  }
}
