package dev.pagetide.server.buffer;

import dev.pagetide.server.os.FileDuplicate;
import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.shm.SharedFileLayout;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;

/** Makes real files in front of which the next writes of zeros are refused. */
final class RefusedZeros implements PageFileMaker {
  private static final int EIO = 5;

  /** How many are refused yet. */
  final AtomicInteger left = new AtomicInteger();

  @Override
  public PageFile make(String name, SharedFileLayout layout) throws SystemCallException {
    return new Refusing(Memfd.create(name, layout));
  }

  private final class Refusing implements PageFile {
    private final PageFile file;

    Refusing(PageFile file) {
      this.file = file;
    }

    @Override
    public void writeZeros(long offset, long length) throws SystemCallException {
      if (left.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
        throw new SystemCallException("writeZeros(" + offset + ", " + length + ")", EIO);
      }
      file.writeZeros(offset, length);
    }

    @Override
    public SharedFileLayout layout() {
      return file.layout();
    }

    @Override
    public MemorySegment header() {
      return file.header();
    }

    @Override
    public MemorySegment table() {
      return file.table();
    }

    @Override
    public void allocate(int startPage, int endPage) throws SystemCallException {
      file.allocate(startPage, endPage);
    }

    @Override
    public void punch(int startPage, int endPage) throws SystemCallException {
      file.punch(startPage, endPage);
    }

    @Override
    public void read(long offset, ByteBuffer target) throws SystemCallException {
      file.read(offset, target);
    }

    @Override
    public void write(long offset, ByteBuffer source) throws SystemCallException {
      file.write(offset, source);
    }

    @Override
    public long residentPages() throws SystemCallException {
      return file.residentPages();
    }

    @Override
    public FileDuplicate duplicate() throws SystemCallException {
      return file.duplicate();
    }

    @Override
    public void close(boolean punch) {
      file.close(punch);
    }
  }
}
