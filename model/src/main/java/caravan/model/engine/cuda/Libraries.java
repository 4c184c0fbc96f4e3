package caravan.model.engine.cuda;

import caravan.model.engine.NativeLibrary;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * Opens our own library and CUDA's three, once per JVM: the driver (libcuda, which comes with
 * NVIDIA's kernel module), the compiler (libnvrtc) and matrix products (libcublasLt).
 *
 * <p>They are looked for in the folders of {@code CARAVAN_CUDA_LIBRARIES} (or the system property
 * {@code caravan.cuda.libraries}), separated as in PATH; then on the loader's path; then in the
 * usual folder of the CUDA toolkit. A driver for CUDA 13 takes libraries of CUDA 13 or 12, one for
 * CUDA 12 those of CUDA 12 only.
 */
final class Libraries {
  private static final String FOLDERS = "CARAVAN_CUDA_LIBRARIES";
  private static final String FOLDERS_PROPERTY = "caravan.cuda.libraries";
  private static final String TOOLKIT = "/usr/local/cuda/lib64";
  private static final String OWN = "libcaravancuda.so";

  private static final Pattern BUILTINS = Pattern.compile("libnvrtc-builtins\\.so\\.[0-9.]+");

  private static boolean open;

  private Libraries() {}

  /**
   * @throws IllegalArgumentException when a library is missing or there is no GPU; the message says
   *     which, where it was looked for, and what to install
   */
  static synchronized void require() {
    if (open) {
      return;
    }
    load(Libraries.class.getResourceAsStream(OWN));
    List<String> folders = folders();
    String advice = "; run on a machine with an NVIDIA GPU and its driver, or set train.engine=cpu";
    openFirst("the GPU's driver", Driver::openDriver, paths(folders, "libcuda.so.1"), advice);
    if (Driver.deviceCount() == 0) {
      throw new IllegalArgumentException("engine cuda: the driver knows no GPU" + advice);
    }
    String[] versions =
        Driver.driverVersion() >= 13000 ? new String[] {"13", "12"} : new String[] {"12"};
    String install =
        "; install the CUDA "
            + versions[0]
            + " toolkit or the Python packages nvidia-cuda-nvrtc and nvidia-cublas, and name the"
            + " folders of their .so files in "
            + FOLDERS;
    openCompiler(folders, versions, install);
    openFirst(
        "CUDA's matrix products",
        Driver::openProducts,
        paths(folders, numbered("libcublasLt.so.", versions)),
        install);
    open = true;
  }

  /** Loads libcaravancuda.so and opens the compiler alone: enough to compile kernels. */
  static synchronized void requireCompiler() {
    if (!open) {
      load(Libraries.class.getResourceAsStream(OWN));
      openCompiler(
          folders(),
          new String[] {"13", "12"},
          "; install the Python package nvidia-cuda-nvrtc and name its folder in " + FOLDERS);
    }
  }

  /** The Python package's compiler does not look for its own second library beside itself. */
  private static void openCompiler(List<String> folders, String[] versions, String advice) {
    for (String folder : folders) {
      File[] beside = new File(folder).listFiles((f, name) -> BUILTINS.matcher(name).matches());
      for (File file : beside == null ? new File[0] : beside) {
        Driver.preload(file.getPath());
      }
    }
    openFirst(
        "CUDA's compiler",
        Driver::openCompiler,
        paths(folders, numbered("libnvrtc.so.", versions)),
        advice);
  }

  /** Our library, out of the jar. */
  static void load(InputStream resource) {
    if (resource == null) {
      throw new IllegalArgumentException(
          "engine cuda: it was left out of this build, which found no C compiler; build on Linux"
              + " x86-64 with gcc and a JDK's jni.h, or set train.engine=cpu");
    }
    try {
      NativeLibrary.load(resource);
    } catch (IOException e) {
      throw new UncheckedIOException(
          "engine cuda: cannot unpack its library into " + System.getProperty("java.io.tmpdir"), e);
    }
  }

  static void openFirst(
      String what, Function<String[], String> opener, List<String> paths, String advice) {
    String problem = opener.apply(paths.toArray(String[]::new));
    if (problem != null) {
      throw new IllegalArgumentException(
          "engine cuda: cannot open " + what + ": " + problem + advice);
    }
  }

  private static String[] numbered(String name, String... versions) {
    return Arrays.stream(versions).map(version -> name + version).toArray(String[]::new);
  }

  private static List<String> folders() {
    String given = System.getProperty(FOLDERS_PROPERTY, System.getenv(FOLDERS));
    return given == null || given.isBlank()
        ? List.of()
        : Arrays.stream(given.split(File.pathSeparator)).filter(f -> !f.isBlank()).toList();
  }

  private static List<String> paths(List<String> folders, String... names) {
    List<String> paths = new ArrayList<>();
    for (String folder : folders) {
      for (String name : names) {
        Path path = Path.of(folder, name);
        if (Files.exists(path)) {
          paths.add(path.toString());
        }
      }
    }
    paths.addAll(List.of(names));
    for (String name : names) {
      paths.add(TOOLKIT + "/" + name);
    }
    return paths;
  }
}
