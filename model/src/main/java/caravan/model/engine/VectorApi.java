package caravan.model.engine;

/** Whether the JDK's Vector API is there: an incubator module that the JVM must be asked for. */
public final class VectorApi {
  private static final String MODULE = "jdk.incubator.vector";
  private static final boolean PRESENT = ModuleLayer.boot().findModule(MODULE).isPresent();

  static {
    if (!PRESENT) {
      System.getLogger(VectorApi.class.getName())
          .log(
              System.Logger.Level.WARNING,
              "train.engine cpu: ND4J''s operations, which are several times slower: the module {0}"
                  + " is missing; start Java with --add-modules {0}",
              MODULE);
    }
  }

  private VectorApi() {}

  /** Whether vectors can be loaded from bare addresses, which takes an export of the JDK's. */
  static boolean readsAddresses() {
    return Object.class
        .getModule()
        .isExported("jdk.internal.vm.vector", VectorApi.class.getModule());
  }

  /** Says once per process if not. */
  public static boolean isPresent() {
    return PRESENT;
  }
}
