package caravan.jobs.chat;

/**
 * Why a record is no conversation.
 *
 * @param reason short and countable, such as {@code no_answer}
 * @param detail what was found and what was wanted
 */
public record Defect(String reason, String detail) {}
