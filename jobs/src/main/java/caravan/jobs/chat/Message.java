package caravan.jobs.chat;

import java.io.Serializable;

/**
 * One turn of a conversation.
 *
 * @param text what is said, without the turn's markers
 */
public record Message(Role role, String text) implements Serializable {}
