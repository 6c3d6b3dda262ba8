package dev.pagetide.server.config;

import java.util.Locale;

/**
 * One option of the command: its name on the command line, in the environment and in the
 * configuration file, its default, and what it means. {@code --help} prints these texts.
 */
public enum ServerOption {
  CONFIG("FILE", "none", "Properties file of options: their names without the dashes."),
  DIR(
      "DIR",
      "$XDG_RUNTIME_DIR/pagetide, else /tmp/pagetide-UID",
      "Directory of the sockets grpc.sock and handoff.sock and of the lock file. The server makes"
          + " it with mode 0700 if it is missing, and refuses it if it belongs to another user, or"
          + " if group or others may write to it."),
  SOCKET_MODE(
      "MODE",
      "0600",
      "Who may connect to the sockets: 0600 (own uid), 0660 (a group too) or 0666 (everybody on"
          + " this host). The server makes the directory traversable for them, never writable."),
  SOCKET_GROUP(
      "GROUP", "the server's group", "Group of the sockets; needs --socket-mode=0660 or 0666."),
  LISTEN(
      "HOST:PORT|off",
      "off",
      "TCP listener, for clients that want RPCs without the shared file; port 0 takes a free one."
          + " Loopback only, because other addresses would need mutual TLS, which this version"
          + " does not have."),
  HTTP(
      "HOST:PORT|off",
      "127.0.0.1:9464",
      "HTTP listener of /metrics and of the tide map, which opens by the ready line's map= URL;"
          + " port 0 takes a free one. An address beyond loopback is allowed: then everybody who"
          + " can reach it can read the meters, which name no session and no client, and there is"
          + " no map."),
  HTTP_WAIT(
      "TIME",
      "10s",
      "How long an HTTP client may take to send a request, and again to take the whole answer, the"
          + " map's events excepted. Silent between requests, it may stay three times as long."),
  MAX_RESIDENT_BYTES(
      "SIZE",
      "a quarter of the memory this process may have, or what heap and reserve leave",
      "The budget: memory that all ranges together may hold."),
  MAX_RANGE_BYTES("SIZE", "4MiB", "The largest range that a session gets."),
  MAX_SESSIONS(
      "N",
      "1024",
      "Sessions alive at once. Each takes 2 mappings and 2 open files, its file and one of"
          + " --max-connections: checked against vm.max_map_count and ulimit -n."),
  MAX_SESSIONS_PER_UID(
      "N",
      "--max-sessions, or half of it where other uids can connect (--socket-mode, --listen)",
      "Sessions alive at once of one uid; all callers over TCP count as one."),
  MAX_CONNECTIONS(
      "N",
      "256 more than --max-sessions, or as many as ulimit -n leaves",
      "Connections to grpc.sock and by --listen at once, each an open file. One uid may have half"
          + " of them, or all of them where only one uid can connect; all callers over TCP count as"
          + " one. The server closes further ones."),
  MAX_RESIDENT_BYTES_PER_UID(
      "SIZE",
      "--max-resident-bytes, or half of it where other uids can connect (--socket-mode, --listen)",
      "Memory that the ranges of one uid may hold. A request beyond it takes the uid's own pages or"
          + " is refused at once: requests wait for the whole server's memory only."),
  MAX_RESIDENT_BYTES_PER_SESSION(
      "SIZE", "--max-resident-bytes-per-uid", "Memory that the range of one session may hold."),
  LOW_WATERMARK(
      "SIZE",
      "1/16 of --max-resident-bytes below --high-watermark",
      "Resident memory at which background reclaim ends; below --high-watermark. A uid's limit of"
          + " its own has both marks at the same part of it."),
  HIGH_WATERMARK(
      "SIZE",
      "15/16 of --max-resident-bytes",
      "Resident memory above which background reclaim begins."),
  ALLOCATION_WAIT(
      "TIME", "1s", "The longest time that a request waits for memory that others hold."),
  PROTECT_RECENT(
      "TIME",
      "500ms",
      "Pages that were stopped less than this ago are taken only for a session that stays within"
          + " its fair share, which is the budget divided by the live sessions."),
  MEMORY_RESERVE(
      "SIZE",
      "a sixteenth of the memory this process may have",
      "Memory to keep free below the control group's limit, and of the machine's available"
          + " memory."),
  PRESSURE(
      "on|off|dry-run",
      "on",
      "Whether to take AVAILABLE pages when the host runs short of memory; dry-run only reports in"
          + " log and meters what it would take; off ignores the host. In all three modes the"
          + " watermarks hold, and so does --memory-reserve below the control group's limit."),
  MAX_DATA_BYTES(
      "SIZE",
      "1MiB",
      "Data in one Read or Write; at most 3MiB, because gRPC clients refuse messages over 4MiB."),
  MAX_REQUESTS_IN_FLIGHT(
      "N",
      "1024",
      "Calls at once, counted until their answer is on the wire; further calls are refused. A uid"
          + " may have half of them (all of them where only one uid can connect), a connection half"
          + " of that, and always 8."),
  MAX_REQUEST_BYTES_IN_FLIGHT(
      "SIZE",
      "64MiB",
      "Bytes of requests and answers of those calls, and of commands and answers of Exchanges that"
          + " wait; further ones are refused. A uid and a connection may have the same parts of"
          + " them, and a connection always 64KiB."),
  REQUEST_WAIT(
      "TIME",
      "10s",
      "How long a request may take to arrive: from a call's headers until it is all there or, on an"
          + " Exchange, until its Attach is, and from a connection until HTTP/2 begins on it. The"
          + " server ends what takes longer."),
  IDLE_WAIT(
      "TIME",
      "300s",
      "How long a connection may stay without a call and without a session; gRPC clients connect"
          + " again by themselves."),
  MAX_BUFFERS("N", "4096", "Live transaction buffers in one range."),
  MAX_TRANSACTIONS("N", "1024", "Two-way transactions that one session waits for at once."),
  ALLOW_TRANSACTIONS(
      "own|FROM:TO,...",
      "own",
      "Which users may transact to which, besides to their own sessions: pairs of uids, or of the"
          + " word any, such as 1000:0,any:1001."),
  MAX_HANDOFFS(
      "N",
      "64",
      "Connections to handoff.sock served at once, at most a quarter of them of one uid; further"
          + " connections are told to try again. Each takes 3 open files from those for sessions."),
  HANDOFF_WAIT(
      "TIME",
      "5s",
      "How long such a connection may last; a token that has not arrived by then is late."),
  DRAIN_WAIT(
      "TIME", "5s", "How long a stopping server waits for its sessions to end by themselves.");

  private final String valueLabel;
  private final String defaultText;
  private final String meaning;

  ServerOption(String valueLabel, String defaultText, String meaning) {
    this.valueLabel = valueLabel;
    this.defaultText = defaultText;
    this.meaning = meaning;
  }

  /** The name in the configuration file: {@code max-sessions}. */
  String key() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** The name on the command line: {@code --max-sessions}. */
  public String flag() {
    return "--" + key();
  }

  /** The name in the environment: {@code PAGETIDE_MAX_SESSIONS}. */
  String variable() {
    return "PAGETIDE_" + name();
  }

  /** The word for the value in {@code --help}. */
  public String valueLabel() {
    return valueLabel;
  }

  /** The default, in words or in the option's notation. */
  public String defaultText() {
    return defaultText;
  }

  /** What the option does, in one or two sentences. */
  public String meaning() {
    return meaning;
  }
}
