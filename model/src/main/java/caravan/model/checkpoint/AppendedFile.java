package caravan.model.checkpoint;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A file that grows at its end, and holds after a crash what was appended before it. A local file
 * is appended to and forced to disk. Object stores cannot append: there the end lies in parts
 * beside the file, {@code NAME.parts/000000012345} named by the byte at which each begins, until
 * {@link #gather} makes them one. One writer at a time.
 */
public final class AppendedFile {
  /** A part is written again and again until it is this long. */
  private static final int PART_BYTES = 1 << 18;

  private final Directory directory;
  private final String name;
  private final Directory parts;
  private ByteArrayOutputStream part = new ByteArrayOutputStream();
  private long partStart;

  public AppendedFile(Directory directory, String name) {
    this.directory = directory;
    this.name = name;
    parts = directory.child(name + ".parts");
  }

  /** All that was appended, read bit by bit; empty when nothing was. */
  public InputStream open() {
    List<InputStream> streams = new ArrayList<>();
    long size = 0;
    if (directory.exists(name)) {
      size = directory.size(name);
      streams.add(directory.open(name));
    }
    for (String each : partNames()) {
      // A part of before the file was last gathered or replaced begins elsewhere.
      if (Long.parseLong(each) == size) {
        size += parts.size(each);
        streams.add(parts.open(each));
      }
    }
    return new SequenceInputStream(Collections.enumeration(streams));
  }

  /**
   * Makes this the whole content.
   *
   * @param content may read what there was before
   */
  public void replace(Directory.Content content) {
    directory.replace(name, content);
    partNames().forEach(parts::delete);
    partStart = directory.size(name);
    part = new ByteArrayOutputStream();
  }

  /** Adds to the end; on return it is there to stay. Only after {@link #replace}. */
  public void append(byte[] more) {
    if (directory.isLocal()) {
      appendLocally(more);
      return;
    }
    part.writeBytes(more);
    parts.write(String.format("%012d", partStart), part.toByteArray());
    if (part.size() >= PART_BYTES) {
      partStart += part.size();
      part = new ByteArrayOutputStream();
    }
  }

  /** Brings the parts together, so that other programs find them in the file. */
  public void gather() {
    if (!directory.isLocal()) {
      replace(
          out -> {
            try (InputStream all = open()) {
              all.transferTo(out);
            }
          });
    }
  }

  private void appendLocally(byte[] more) {
    Path file = directory.localPath(name);
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.APPEND)) {
      for (ByteBuffer left = ByteBuffer.wrap(more); left.hasRemaining(); ) {
        channel.write(left);
      }
      channel.force(true);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot append to " + file + ": " + e.getMessage(), e);
    }
  }

  private List<String> partNames() {
    return directory.isLocal() ? List.of() : parts.list();
  }
}
