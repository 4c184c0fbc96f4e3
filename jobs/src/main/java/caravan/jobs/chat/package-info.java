/**
 * Conversations: reading them from instruction and chat data, their one way into token ids, and the
 * training sequences on disk. Spark is needed by {@link caravan.jobs.chat.ChatSequences} alone, to
 * write and read those.
 */
package caravan.jobs.chat;
