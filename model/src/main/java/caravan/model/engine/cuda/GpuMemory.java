package caravan.model.engine.cuda;

/** Memory of a GPU: a {@link Device}'s, or what a plan would take of one. */
interface GpuMemory {
  /**
   * @param what it is for, as the table of memory shows it
   * @return its address
   */
  long allocate(String what, long bytes);

  void free(long address);

  int multiprocessors();
}
