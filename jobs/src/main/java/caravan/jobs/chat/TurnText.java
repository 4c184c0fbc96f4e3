package caravan.jobs.chat;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The text form of a conversation: {@code <s>Human: …\n</s><s>Assistant: …\n</s>}, repeated for
 * more turns. The space after the colon and the line break before {@code </s>} may be missing, as
 * they are in data that people have. A {@code </s>} inside a turn (struck-out HTML) is text: a turn
 * ends only where another begins or the text ends.
 */
final class TurnText {
  private static final Pattern TURN =
      Pattern.compile(
          "\\G\\s*<s>(System|Human|Assistant): ?(.*?)\\n?</s>"
              + "(?=\\s*(?:<s>(?:System|Human|Assistant):|\\z))",
          Pattern.DOTALL);

  private TurnText() {}

  /**
   * @throws UnreadableRecordException when anything stands outside the turns
   */
  static List<Message> parse(String text) throws UnreadableRecordException {
    List<Message> messages = new ArrayList<>();
    Matcher turn = TURN.matcher(text);
    int end = 0;
    while (turn.find()) {
      messages.add(new Message(role(turn.group(1)), turn.group(2)));
      end = turn.end();
    }
    String rest = text.substring(end).strip();
    if (messages.isEmpty() || !rest.isEmpty()) {
      throw new UnreadableRecordException(
          "not_turns",
          "at character %d: got `%s`, wanted `<s>Human: …</s>` or `<s>Assistant: …</s>`"
              .formatted(end, Excerpts.of(rest)));
    }
    return messages;
  }

  private static Role role(String label) {
    for (Role role : Role.values()) {
      if (role.label().equals(label)) {
        return role;
      }
    }
    throw new IllegalStateException("the pattern has the label " + label + ", Role has not");
  }
}
