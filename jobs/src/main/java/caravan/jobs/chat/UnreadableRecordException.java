package caravan.jobs.chat;

/** A record that is no conversation; {@link ChatReader} turns it into {@link ChatRecord.Broken}. */
final class UnreadableRecordException extends Exception {
  private static final long serialVersionUID = 1;

  private final transient Defect defect;

  UnreadableRecordException(String reason, String detail) {
    super(detail, null, false, false);
    this.defect = new Defect(reason, detail);
  }

  Defect defect() {
    return defect;
  }
}
