package caravan.jobs.tasks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.jobs.chat.Conversation;
import caravan.jobs.chat.Message;
import caravan.jobs.chat.Role;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DialogueChoiceTest {
  private static Conversation conversation(String question, String answer) {
    return new Conversation(
        question, List.of(new Message(Role.USER, question), new Message(Role.ASSISTANT, answer)));
  }

  private static List<Conversation> conversations(int count) {
    return IntStream.range(0, count).mapToObj(i -> conversation("问题 " + i, "答案 " + i)).toList();
  }

  @Test
  void everyQuestionGetsItsOwnAnswerAndThreeDifferentOthers() {
    List<DialogueChoice> items = DialogueChoice.of(conversations(40), 1);

    assertThat(items).hasSize(40);
    for (int i = 0; i < 40; i++) {
      DialogueChoice item = items.get(i);
      assertThat(item.choices().get(item.answer())).isEqualTo("答案 " + i);
      assertThat(new HashSet<>(item.choices())).hasSize(DialogueChoice.CHOICES);
    }
  }

  @Test
  void theTrueAnswerStandsInEveryPlaceAboutEquallyOften() {
    List<DialogueChoice> items = DialogueChoice.of(conversations(400), 1);

    for (int place = 0; place < DialogueChoice.CHOICES; place++) {
      int here = place;
      assertThat(items.stream().filter(item -> item.answer() == here).count()).isBetween(70L, 130L);
    }
  }

  @Test
  void theSameSeedGivesTheSameItemsInWhateverOrderTheyAreRead() {
    List<Conversation> shuffled = new ArrayList<>(conversations(20));
    Collections.reverse(shuffled);

    List<DialogueChoice> items = DialogueChoice.of(conversations(20), 5);

    assertThat(DialogueChoice.of(shuffled, 5)).containsExactlyInAnyOrderElementsOf(items);
    assertThat(DialogueChoice.of(conversations(20), 6)).isNotEqualTo(items);
  }

  @Test
  void aSecondAnswerToTheSameQuestionIsNeverAWrongChoice() {
    List<Conversation> conversations = new ArrayList<>(conversations(3));
    conversations.add(conversation("问题 0", "答案 0 too"));
    conversations.add(conversation("q", "a"));

    DialogueChoice first = DialogueChoice.of(conversations, 1).get(0);

    assertThat(first.choices()).contains("答案 0").doesNotContain("答案 0 too");
  }

  @Test
  void tooFewDialoguesAreRefused() {
    assertThatThrownBy(() -> DialogueChoice.of(conversations(3), 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "choice: got 2 answers of other questions than \"问题 0\", wanted at least 3; give more"
                + " dialogues as items");
  }
}
