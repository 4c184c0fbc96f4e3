package caravan.model.train;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Iterator;
import java.util.Optional;
import org.apache.spark.serializer.DeserializationStream;
import org.apache.spark.serializer.SerializationStream;
import org.apache.spark.serializer.Serializer;
import org.apache.spark.serializer.SerializerInstance;
import scala.Tuple2;
import scala.collection.JavaConverters;
import scala.reflect.ClassTag;

/**
 * Writes pieces, each under its slice's number, to a shuffle's file and reads them: the floats as
 * they are, which Java's serialization would copy by the kilobyte.
 */
final class PieceSerializer extends Serializer implements Serializable {
  private static final long serialVersionUID = 1;

  @Override
  public SerializerInstance newInstance() {
    return new Streams();
  }

  private static UnsupportedOperationException piecesAlone() {
    return new UnsupportedOperationException("this serializer is for shuffles of pieces");
  }

  private interface Action<T> {
    T run() throws IOException;
  }

  private static <T> T unchecked(Action<T> action) {
    try {
      return action.run();
    } catch (IOException e) {
      throw new UncheckedIOException("shuffle of the model's slices: " + e.getMessage(), e);
    }
  }

  private static final class Streams extends SerializerInstance {
    @Override
    public SerializationStream serializeStream(OutputStream out) {
      return new Writer(out);
    }

    @Override
    public DeserializationStream deserializeStream(InputStream in) {
      return new Reader(in);
    }

    @Override
    public <T> ByteBuffer serialize(T object, ClassTag<T> tag) {
      throw piecesAlone();
    }

    @Override
    public <T> T deserialize(ByteBuffer bytes, ClassTag<T> tag) {
      throw piecesAlone();
    }

    @Override
    public <T> T deserialize(ByteBuffer bytes, ClassLoader loader, ClassTag<T> tag) {
      throw piecesAlone();
    }
  }

  private static final class Writer extends SerializationStream {
    private final OutputStream out;

    Writer(OutputStream out) {
      this.out = out;
    }

    @Override
    public <T> SerializationStream writeKey(T slice, ClassTag<T> tag) {
      return this; // It goes before its piece.
    }

    @Override
    public <T> SerializationStream writeValue(T piece, ClassTag<T> tag) {
      return unchecked(
          () -> {
            ((Piece) piece).writeTo(out);
            return this;
          });
    }

    @Override
    public <T> SerializationStream writeObject(T object, ClassTag<T> tag) {
      throw piecesAlone();
    }

    @Override
    public void flush() {
      unchecked(
          () -> {
            out.flush();
            return this;
          });
    }

    @Override
    public void close() {
      unchecked(
          () -> {
            out.close();
            return this;
          });
    }
  }

  private static final class Reader extends DeserializationStream {
    private final InputStream in;

    Reader(InputStream in) {
      this.in = in;
    }

    @Override
    public scala.collection.Iterator<Tuple2<Object, Object>> asKeyValueIterator() {
      return JavaConverters.asScalaIterator(
          new Iterator<>() {
            private Optional<Piece> next = read();

            private Optional<Piece> read() {
              return unchecked(() -> Piece.read(in));
            }

            @Override
            public boolean hasNext() {
              return next.isPresent();
            }

            @Override
            public Tuple2<Object, Object> next() {
              Piece piece = next.orElseThrow();
              next = read();
              return new Tuple2<>(piece.slice(), piece);
            }
          });
    }

    @Override
    public <T> T readObject(ClassTag<T> tag) {
      throw piecesAlone();
    }

    @Override
    public void close() {
      unchecked(
          () -> {
            in.close();
            return this;
          });
    }
  }
}
