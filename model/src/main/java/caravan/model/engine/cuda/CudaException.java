package caravan.model.engine.cuda;

/** A call of CUDA's that failed: which, with what status, and what to do where that is known. */
public final class CudaException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public CudaException(String message) {
    super(message);
  }
}
