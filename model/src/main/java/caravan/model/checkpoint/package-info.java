/**
 * Models on disk: safetensors, Hugging Face directories, training checkpoints, llama2.c files.
 * Everything is read and written through Hadoop's file systems, so that a local path and {@code
 * s3a://} behave alike.
 */
package caravan.model.checkpoint;
