package caravan.jobs;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Predicate;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The command line: {@code caravan COMMAND [--config FILE]… [KEY=VALUE]…}. Each command is one
 * {@link Job}; mistakes of the user end in one paragraph and status 2, failed runs in status 1.
 */
@Command(
    name = "caravan",
    description = "Chinese and English text in, a trained Llama out, on Apache Spark.",
    mixinStandardHelpOptions = true,
    version = "caravan 0.1.0",
    usageHelpWidth = 110)
public final class Caravan {
  static final int DONE = 0;
  static final int FAILED = 1;
  static final int BAD_INPUT = 2;
  static final int REFUSED = 3;
  static final int STOPPED = 4;

  private static final List<Class<?>> COMMANDS =
      List.of(
          QuickstartJob.class,
          PrepareJob.class,
          CleanJob.class,
          DedupJob.class,
          DecontaminateJob.class,
          FindJob.class,
          TrainTokenizerJob.class,
          ExtendTokenizerJob.class,
          TokenizeJob.class,
          PretrainJob.class,
          SftJob.class,
          EvaluateJob.class,
          GenerateJob.class,
          ImportJob.class,
          ExportJob.class,
          InspectJob.class,
          ExplainJob.class,
          TraceJob.class,
          ForgetJob.class,
          DeleteJob.class,
          DiffJob.class);

  private Caravan() {}

  public static void main(String[] args) {
    // Java 17 prints in the locale's encoding, which loses Chinese under LANG=C.
    System.setOut(utf8(FileDescriptor.out));
    System.setErr(utf8(FileDescriptor.err));
    GenerateJob.begin(args);
    System.exit(run(args));
  }

  /** All commands. */
  static CommandLine commands() {
    return commandsOf(type -> true);
  }

  /** The command that is asked for, alone if there is one: picocli takes a while over each. */
  private static CommandLine commandsFor(String... args) {
    CommandLine asked = commandsOf(type -> args.length > 0 && name(type).equals(args[0]));
    return asked.getSubcommands().isEmpty() ? commands() : asked;
  }

  private static CommandLine commandsOf(Predicate<Class<?>> wanted) {
    CommandLine commands = new CommandLine(new Caravan());
    COMMANDS.stream().filter(wanted).forEach(commands::addSubcommand);
    return commands;
  }

  private static String name(Class<?> command) {
    return command.getAnnotation(Command.class).name();
  }

  private static PrintStream utf8(FileDescriptor file) {
    return new PrintStream(new FileOutputStream(file), true, StandardCharsets.UTF_8);
  }

  /** Runs one command in this JVM and returns its exit status. */
  static int run(String... args) {
    CommandLine commandLine =
        commandsFor(args)
            .setParameterExceptionHandler(Caravan::misused)
            .setExecutionExceptionHandler(Caravan::failed);
    if (args.length == 0) {
      commandLine.usage(System.err);
      return BAD_INPUT;
    }
    return commandLine.execute(args);
  }

  private static int misused(CommandLine.ParameterException e, String[] args) {
    StringBuilder message = new StringBuilder(e.getMessage());
    if (e instanceof UnmatchedArgumentException unmatched
        && !unmatched.getSuggestions().isEmpty()) {
      message.append(". Did you mean ").append(String.join(" or ", unmatched.getSuggestions()));
    }
    String command = e.getCommandLine().getCommandSpec().qualifiedName();
    System.err.printf("%s: %s. %s --help shows what there is%n", command, message, command);
    return BAD_INPUT;
  }

  private static int failed(Exception e, CommandLine command, CommandLine.ParseResult parsed) {
    Throwable cause = ownRefusal(e);
    boolean badInput = cause != null;
    String name = command.getCommandSpec().qualifiedName();
    System.err.printf("%s: %s%n", name, badInput ? cause.getMessage() : described(e));
    boolean verbose = command.getCommand() instanceof Job<?> job && job.verbose;
    if (verbose) {
      e.printStackTrace();
    } else if (!badInput) {
      System.err.printf("%s: --verbose shows where it failed%n", name);
    }
    return badInput ? BAD_INPUT : FAILED;
  }

  /**
   * The refusal of a setting or an input by our own code, also when Spark wrapped it on its way
   * from an executor; null when there is none. An IllegalArgumentException that a library throws
   * about its own internals is a failed run, not a mistake of the user.
   */
  private static Throwable ownRefusal(Throwable e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof IllegalArgumentException && isOwn(cause)) {
        return cause;
      }
    }
    return null;
  }

  /** What our own code says of it, and what lies at the bottom. */
  private static String described(Throwable e) {
    Throwable root = e;
    Throwable own = null;
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      root = cause;
      if (isOwn(cause) && cause.getMessage() != null) {
        own = cause;
      }
    }
    String message = root == own ? "" : root.getClass().getSimpleName() + ": " + root.getMessage();
    if (message.contains("No space left on device")) {
      message +=
          "; make room where the output lies and where Spark keeps its own files (spark.local.dir, else /tmp)";
    }
    return own == null ? message : own.getMessage() + (message.isEmpty() ? "" : ": " + message);
  }

  private static boolean isOwn(Throwable e) {
    StackTraceElement[] frames = e.getStackTrace();
    return frames.length > 0 && frames[0].getClassName().startsWith("caravan.");
  }
}
