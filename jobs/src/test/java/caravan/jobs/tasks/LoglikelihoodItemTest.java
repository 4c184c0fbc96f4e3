package caravan.jobs.tasks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.jobs.chat.TinyTokenizer;
import caravan.pipeline.tokenize.Tokenizer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LoglikelihoodItemTest {
  private final Tokenizer tokenizer = TinyTokenizer.create();

  @Test
  void contextAndContinuationAreEncodedTogether() {
    var ids = new LoglikelihoodItem("the sky", " is blue").encode(tokenizer, false);

    assertThat(ids.context()).containsExactly(tokenizer.encode("the sky"));
    assertThat(IntStream.concat(IntStream.of(ids.context()), IntStream.of(ids.continuation())))
        .containsExactly(
            IntStream.of(tokenizer.encode("the sky is blue")).boxed().toArray(Integer[]::new));
  }

  @Test
  void spacesAtTheContextsEndMoveToTheContinuation() {
    var apart = new LoglikelihoodItem("the sky ", "is blue").encode(tokenizer, true);
    var together = new LoglikelihoodItem("the sky", " is blue").encode(tokenizer, true);

    assertThat(apart.context()).containsExactly(together.context());
    assertThat(apart.continuation()).containsExactly(together.continuation());
  }

  @Test
  void bosStandsBeforeTheContextWhenAskedForAndAloneForAnEmptyOne() {
    assertThat(new LoglikelihoodItem("天空", "蓝色").encode(tokenizer, true).context())
        .startsWith(tokenizer.bosId())
        .endsWith(tokenizer.encode("天空"));
    assertThat(new LoglikelihoodItem("", "蓝色").encode(tokenizer, false).context())
        .containsExactly(tokenizer.bosId());
    assertThat(new LoglikelihoodItem("", "蓝色").encode(tokenizer, false).continuation())
        .containsExactly(tokenizer.encode("蓝色"));
  }

  @Test
  void everythingElseThanARequestIsRefusedWithItsPlace() {
    assertThat(LoglikelihoodItem.parse("{\"context\":\"a\",\"continuation\":\" b\"}", "x:1"))
        .isEqualTo(new LoglikelihoodItem("a", " b"));
    assertRefused("{\"context\":\"a\"", "not JSON (");
    assertRefused("{\"context\":\"a\",\"answer\":\"b\"}", "got [answer, context], wanted");
    assertRefused("{\"context\":\"a\",\"continuation\":3}", "got [context, continuation], wanted");
    assertRefused("{\"context\":\"a\",\"continuation\":\"\"}", "the continuation is empty, wanted");
  }

  private static void assertRefused(String line, String message) {
    assertThatThrownBy(() -> LoglikelihoodItem.parse(line, "items.jsonl:7"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("items.jsonl:7: " + message)
        .hasMessageEndingWith(" {\"context\": text, \"continuation\": text}");
  }
}
