/**
 * The text side of evaluation: items from files into token ids, scores into reports, and the gate
 * that judges them. What a model makes of the ids is {@code caravan.model.eval}'s. Nothing here
 * needs Spark.
 */
package caravan.jobs.tasks;
