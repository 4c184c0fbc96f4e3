package caravan.jobs.chat;

/** Who speaks. */
public enum Role {
  SYSTEM("System"),
  USER("Human"),
  ASSISTANT("Assistant");

  private final String label;

  Role(String label) {
    this.label = label;
  }

  /** The name that opens a turn in {@link ChatTemplate}'s text. */
  public String label() {
    return label;
  }
}
