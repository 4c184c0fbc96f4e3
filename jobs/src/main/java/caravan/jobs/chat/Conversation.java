package caravan.jobs.chat;

import java.io.Serializable;
import java.util.List;
import java.util.Optional;

/**
 * What people and a model said in turn: at most one system message, then user and assistant
 * alternating.
 *
 * @param id the record's own id, or file and position
 */
public record Conversation(String id, List<Message> messages) implements Serializable {
  public Conversation {
    messages = List.copyOf(messages);
  }

  /** A conversation of one question, to be answered. */
  public static Conversation asking(String question) {
    return new Conversation("prompt", List.of(new Message(Role.USER, question)));
  }

  /**
   * Why nothing can be learned from this conversation; empty when it is sound. A last question
   * without an answer is sound: it is left out of training.
   */
  public Optional<Defect> defect() {
    List<Message> turns = turns();
    for (int i = 0; i < messages.size(); i++) {
      if (messages.get(i).text().isBlank()) {
        return defect("empty_turn", "message %d of %d has no text", i + 1, messages.size());
      }
    }
    for (int i = 0; i < turns.size(); i++) {
      Role wanted = i % 2 == 0 ? Role.USER : Role.ASSISTANT;
      if (turns.get(i).role() != wanted) {
        return defect(
            "turns_out_of_order",
            "message %d is %s, wanted %s",
            i + 1 + messages.size() - turns.size(),
            turns.get(i).role().label(),
            wanted.label());
      }
    }
    return turns.size() < 2
        ? defect("no_answer", "%d messages and no assistant's among them", messages.size())
        : Optional.empty();
  }

  /** The messages that training uses: all up to the last answer, none when there is none. */
  public List<Message> untilLastAnswer() {
    int end = messages.size();
    while (end > 0 && messages.get(end - 1).role() != Role.ASSISTANT) {
      end--;
    }
    return messages.subList(0, end);
  }

  /** The messages after the system's. */
  public List<Message> turns() {
    boolean hasSystem = !messages.isEmpty() && messages.get(0).role() == Role.SYSTEM;
    return messages.subList(hasSystem ? 1 : 0, messages.size());
  }

  private static Optional<Defect> defect(String reason, String format, Object... values) {
    return Optional.of(new Defect(reason, format.formatted(values)));
  }
}
