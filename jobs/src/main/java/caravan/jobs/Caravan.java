package caravan.jobs;

/** The command line. */
public final class Caravan {
  private Caravan() {}

  public static void main(String[] args) {
    System.out.println("caravan");
  }
}
