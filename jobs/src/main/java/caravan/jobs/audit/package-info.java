/** What became of documents: samples, stories of single ones, and what two runs decided. */
package caravan.jobs.audit;
