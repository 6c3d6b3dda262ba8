"""One page of a Pagetide range, through shared memory and over RPC: both see the same bytes.

Written from proto/SHARED_FILE.md and page_range.proto; README.md here says how to run it.

It uses and stops its page over RPC and only reads page words: plain Python has no 64-bit
compare-and-set, and a word changed by any other store could undo what the server did to it.
"""

import argparse
import contextlib
import mmap
import os
import socket
import struct
import sys
import time

try:
    import grpc
    from pagetide.v1 import page_range_pb2 as pb, page_range_pb2_grpc as rpc
except ImportError as missing:
    sys.exit(f"pagetide_example: {missing}; README.md says what to install and to generate")

SIZE_BYTES = 64 << 10
PAGE = 0  # the page that is used, written and stopped
WAIT_SECONDS = 30

MAGIC, LAYOUT_VERSION, OPEN = 0x4544495445474150, 1, 1
HEADER = struct.Struct("=QIII4xQQQQ8xI")  # "=": the machine's byte order, no padding but "x"
STATES = ("FREE", "AVAILABLE", "USED", "a contradiction")
REFUSALS = {
    b"": "the connection ended without an answer: the server has gone",
    b"\1": "no session has this token, or it is not ours",
    b"\2": "what was sent is not one token and a newline",
    b"\3": "too many connections wait; try again",
    b"\4": "the token did not come in time",
    b"\5": "the server has no descriptor to give; try again",
}


class Failure(Exception):
    """Why the example cannot go on: a sentence for the user who runs it."""


def check(what, found, promised):
    """Fails where a number is not the one it has to be."""
    if found != promised:
        raise Failure(f"{what} is {found}, not {promised} as promised: this file is not to be used")


def check_opened(opened):
    """Checks that Opened tells the sizes and offsets that layout version 1 computes."""
    page_size, page_count, file = opened.page_size, opened.page_count, opened.file
    check("Opened.file.layout_version", file.layout_version, LAYOUT_VERSION)
    check("Opened.page_size", page_size, mmap.PAGESIZE)
    table_pages = (8 * page_count + page_size - 1) // page_size
    check("Opened.file.table_offset", file.table_offset, page_size)
    check("Opened.file.data_offset", file.data_offset, page_size + table_pages * page_size)
    check("Opened.file.size_bytes", file.size_bytes, file.data_offset + page_count * page_size)


def check_header(opened, mapping):
    """Checks that the file's header says what Opened said."""
    promised = {"magic": MAGIC, "layout version": LAYOUT_VERSION, "page size": opened.page_size,
                "page count": opened.page_count, "table offset": opened.file.table_offset,
                "data offset": opened.file.data_offset, "range id": opened.range_id,
                "server instance": opened.server_instance, "state": OPEN}
    for (field, wanted), found in zip(promised.items(), HEADER.unpack_from(mapping)):
        check(f"the header's {field}", found, wanted)


def receive_descriptor(path, token):
    """Gets the descriptor of a session's file from the hand-off socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as handoff:
        handoff.settimeout(WAIT_SECONDS)
        handoff.connect(path)
        with contextlib.suppress(BrokenPipeError):  # a refusal may come before the token is sent
            handoff.sendall(token.encode("ascii") + b"\n")
        status = handoff.recv(1)  # exactly one byte: a longer read can drop the descriptor
        if status != b"\0":
            reason = REFUSALS.get(status, f"status {status!r} is not known here")
            raise Failure(f"{path} handed over no file: {reason}")
        _, descriptors, _, _ = socket.recv_fds(handoff, 1, 1, socket.MSG_CMSG_CLOEXEC)
    if not descriptors:
        raise Failure(f"{path} promised a descriptor and sent none")
    return descriptors[0]


def map_file(opened):
    """Maps all of a session's file, once it is seen to be the one that Opened promised."""
    if not opened.HasField("file"):
        raise Failure("the server hands over no file, which this example is about")
    check_opened(opened)
    try:
        descriptor = receive_descriptor(opened.file.handoff_socket, opened.session)
    except OSError as error:
        raise Failure(f"{opened.file.handoff_socket} handed over no file: {error}") from error
    with open(descriptor, "rb"):  # closes it: the mapping needs it no more
        check("the file's size", os.fstat(descriptor).st_size, opened.file.size_bytes)
        mapping = mmap.mmap(descriptor, opened.file.size_bytes)  # shared, readable and writable
    check_header(opened, mapping)
    return mapping


def compare(way, written, read):
    """Prints bytes that came through unharmed, or fails."""
    if read != written:
        raise Failure(f"{way}: wrote {written!r} and read {read!r}")
    print(f"{way}: {read.decode('ascii')}")


class MappedPage:
    """One page of a session's range: over RPC, and through the mapping of the range's file."""

    def __init__(self, service, opened, mapping):
        self.service, self.mapping = service, mapping
        self.session = {"session": opened.session}
        self.pages = [pb.PageSpan(start_page=PAGE, end_page=PAGE + 1)]
        self.word_index = opened.file.table_offset // 8 + PAGE
        self.offset_in_range = PAGE * opened.page_size
        self.offset_in_file = opened.file.data_offset + self.offset_in_range

    def show_word(self):
        """Prints what the page's word says; returns its stamp."""
        # One 64-bit load. struct's "=Q" would load byte by byte, and could mix two words.
        with memoryview(self.mapping) as file, file.cast("Q") as words:
            word = words[self.word_index]
        print(f"page {PAGE} is {STATES[word & 3]}, stamp {word >> 2}")
        return word >> 2

    def use(self):
        """Makes the page USED; prints which pages had no memory and hold zeros now."""
        request = pb.UseRangeRequest(pages=self.pages, **self.session)
        fresh = self.service.UseRange(request, timeout=WAIT_SECONDS).fresh
        print("UseRange, fresh:", *(f"[{span.start_page}, {span.end_page})" for span in fresh))

    def stop(self):
        """Makes the page AVAILABLE: from here on its bytes are not to be touched."""
        request = pb.StopUsingRangeRequest(pages=self.pages, **self.session)
        self.service.StopUsingRange(request, timeout=WAIT_SECONDS)
        print("StopUsingRange")

    def exchange(self, here, there):
        """Writes `here` through the mapping and `there` over RPC; reads each the other way."""
        self.mapping[self.offset_in_file : self.offset_in_file + len(here)] = here
        request = pb.ReadRequest(offset=self.offset_in_range, length=len(here), **self.session)
        read = self.service.Read(request, timeout=WAIT_SECONDS).data
        compare("written through the mapping, read over RPC", here, read)
        request = pb.WriteRequest(offset=self.offset_in_range, data=there, **self.session)
        self.service.Write(request, timeout=WAIT_SECONDS)
        read = self.mapping[self.offset_in_file : self.offset_in_file + len(there)]
        compare("written over RPC, read through the mapping", there, read)


def take_round(page):
    """Takes a page from FREE to USED, writes it both ways, and stops it."""
    page.show_word()
    page.use()
    page.show_word()
    page.exchange(b"hello, server", b"hello, client")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    page.stop()
    stamp = page.show_word()
    if not before <= stamp <= time.clock_gettime_ns(time.CLOCK_MONOTONIC):
        raise Failure(f"the page was stopped after {before}; its stamp says otherwise: {stamp}")


def run(directory):
    """Opens a session, takes one page round, and closes the session."""
    with grpc.insecure_channel(f"unix:{os.path.abspath(directory)}/grpc.sock") as channel:
        service = rpc.PageRangeServiceStub(channel)
        events = service.OpenRange(pb.OpenRangeRequest(size_bytes=SIZE_BYTES))  # never a deadline
        try:
            opened = next(events).opened
            print(f"opened {opened.page_count} pages of {opened.page_size} bytes")
            with map_file(opened) as mapping:
                print(f"mapped {len(mapping)} bytes, header as promised")
                take_round(MappedPage(service, opened, mapping))
        finally:
            events.cancel()  # the stream is the session, and ends with it
    print("closed the session")


def main():
    parser = argparse.ArgumentParser(description="Shares one page with a Pagetide server.")
    parser.add_argument("--dir", required=True, help="the server's directory: its own --dir")
    directory = parser.parse_args().dir
    try:
        run(directory)
    except Failure as failure:
        sys.exit(f"pagetide_example: {failure}")
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            sys.exit(f"pagetide_example: no server to talk to in {directory}: {error.details()}")
        sys.exit(f"pagetide_example: the server refused: {error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
