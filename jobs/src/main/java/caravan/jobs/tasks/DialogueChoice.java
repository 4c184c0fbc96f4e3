package caravan.jobs.tasks;

import caravan.jobs.chat.Conversation;
import caravan.jobs.chat.Message;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Multiple choice from dialogues: a question, its own answer, and answers of other questions,
 * sampled with a seed. Chance is one over the number of choices.
 *
 * @param question a conversation's first user message
 * @param choices answers, all different
 * @param answer position of the true one
 */
public record DialogueChoice(String question, List<String> choices, int answer) {
  /** Choices per question, the true one included. */
  public static final int CHOICES = 4;

  public DialogueChoice {
    choices = List.copyOf(choices);
  }

  /**
   * One item per different question; the same conversations, in any order of files, and seed give
   * the same items for each question.
   *
   * @param conversations ones without {@link Conversation#defect}; their first exchange is used
   * @throws IllegalArgumentException when there are fewer than {@link #CHOICES} different answers
   */
  public static List<DialogueChoice> of(List<Conversation> conversations, long seed) {
    Map<String, LinkedHashSet<String>> answers = new LinkedHashMap<>();
    for (Conversation conversation : conversations) {
      List<Message> turns = conversation.turns();
      answers
          .computeIfAbsent(turns.get(0).text(), question -> new LinkedHashSet<>())
          .add(turns.get(1).text());
    }
    List<String> all =
        answers.values().stream().flatMap(LinkedHashSet::stream).distinct().sorted().toList();
    List<DialogueChoice> items = new ArrayList<>();
    answers.forEach((question, own) -> items.add(item(question, own, all, seed)));
    return items;
  }

  /** A question with several answers asks for the first and is not offered the others. */
  private static DialogueChoice item(
      String question, LinkedHashSet<String> own, List<String> all, long seed) {
    List<String> others = new ArrayList<>(all);
    others.removeAll(own);
    if (others.size() < CHOICES - 1) {
      throw new IllegalArgumentException(
          ("choice: got %d answers of other questions than \"%s\", wanted at least %d;"
                  + " give more dialogues as items")
              .formatted(others.size(), question, CHOICES - 1));
    }
    Random random = new Random(seed * 31 + question.hashCode());
    List<String> choices = new ArrayList<>();
    while (choices.size() < CHOICES - 1) {
      choices.add(others.remove(random.nextInt(others.size())));
    }
    int answer = random.nextInt(CHOICES);
    choices.add(answer, own.iterator().next());
    return new DialogueChoice(question, choices, answer);
  }
}
