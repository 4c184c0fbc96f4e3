package caravan.jobs.chat;

/** One record of a file: a conversation, or what stands in its place. */
public sealed interface ChatRecord {
  /** The record's own id, or file and position. */
  String id();

  /** The record as it lies in the file, for repair by hand. */
  String raw();

  /** A conversation without {@link Conversation#defect}. */
  record Readable(Conversation conversation, String raw) implements ChatRecord {
    @Override
    public String id() {
      return conversation.id();
    }
  }

  /** A record that cannot be used. */
  record Broken(String id, Defect defect, String raw) implements ChatRecord {}

  /** Broken when the conversation has a defect. */
  static ChatRecord of(Conversation conversation, String raw) {
    return conversation
        .defect()
        .<ChatRecord>map(defect -> new Broken(conversation.id(), defect, raw))
        .orElseGet(() -> new Readable(conversation, raw));
  }
}
