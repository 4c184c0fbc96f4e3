/**
 * Conversations: reading them from instruction and chat data, and their one way into token ids.
 * Nothing here needs Spark.
 */
package caravan.jobs.chat;
