#include "libnlb/inspect/signatures.hpp"

#include <array>

namespace nlb::inspect {

namespace {

using enum Protocol;
using enum Rule;

constexpr std::string_view mysql_handshake = "MySQL Internals, Connection Phase, Protocol::HandshakeV10";
constexpr std::string_view postgresql_formats = "PostgreSQL documentation, 55.7 Message Formats";
constexpr std::string_view mongodb_wire = "MongoDB specification, Wire Protocol";
constexpr std::string_view rtmp_handshake = "Adobe RTMP 1.0, 5.2.2 to 5.2.3 (C0, C1)";

constexpr std::array table{
    RuleText{none, unknown, "none", "nothing came close", ""},
    RuleText{http_request, http, "http-request",
             "a token, a space, a target, a space, and HTTP/digit.digit, after any empty lines",
             "RFC 9112 sections 2.2 and 3; any extension method (RFC 9110 section 16.1)"},
    RuleText{http2_preface, http, "http2-preface", "the 24 bytes PRI * HTTP/2.0 CRLF CRLF SM CRLF CRLF",
             "RFC 9113 section 3.4"},
    RuleText{http_simple_request, http, "http-simple-request",
             "GET, a target that starts with /, and the end of the line without a version", "RFC 1945 section 4.1 (HTTP/0.9)"},
    RuleText{http_only_method, http, "http-only-method",
             "a method and target that only HTTP has, and 24 bytes of target, or a request line that is malformed behind them: "
             "an HTTP server is who answers it",
             "IANA HTTP Method Registry; RFC 9112 section 3 (a malformed request line is answered 400)"},
    RuleText{http_response, http, "http-response", "HTTP/ and a digit, from the server", "RFC 9112 section 4"},
    RuleText{http2_settings, http, "http2-settings", "a SETTINGS frame on stream 0 of a length divisible by 6, from the server",
             "RFC 9113 sections 3.4 and 6.5"},
    RuleText{tls_client_hello, tls, "tls-client-hello",
             "handshake records of version 3.0 to 3.4 that hold (also in pieces) a ClientHello of at least 41 bytes that does not end "
             "inside its first record, with version 3.0 or higher",
             "RFC 8446 sections 4.1.2 and 5.1; RFC 5246 section 7.4.1.2 and appendix E.1"},
    RuleText{tls_server_hello, tls, "tls-server-hello", "a handshake record that opens with a ServerHello of at least 38 bytes",
             "RFC 8446 sections 4.1.3 and 5.1"},
    RuleText{tls_alert, tls, "tls-alert", "an alert record of two bytes, warning or fatal, from the server", "RFC 8446 section 6"},
    RuleText{mysql_greeting, mysql, "mysql-greeting",
             "sequence 0, protocol version 10, a server version that starts like a number, from the server", mysql_handshake},
    RuleText{mysql_error, mysql, "mysql-error", "sequence 0 and an error packet in place of the greeting, from the server",
             "MySQL Internals, Generic Response Packets, ERR_Packet"},
    RuleText{postgresql_startup, postgresql, "postgresql-startup",
             "a length of 12 to 10000, protocol 3.x, and a first parameter: a name, zero, a value without control bytes, zero",
             postgresql_formats},
    RuleText{postgresql_ssl_request, postgresql, "postgresql-ssl-request", "length 8, code 80877103", postgresql_formats},
    RuleText{postgresql_gssenc_request, postgresql, "postgresql-gssenc-request", "length 8, code 80877104", postgresql_formats},
    RuleText{postgresql_cancel_request, postgresql, "postgresql-cancel-request",
             "length 16 to 268 (a key of 4 bytes, in protocol 3.2 up to 256), code 80877102", postgresql_formats},
    RuleText{postgresql_authentication, postgresql, "postgresql-authentication",
             "an Authentication message of a known kind and its length, from the server", postgresql_formats},
    RuleText{postgresql_error, postgresql, "postgresql-error", "an ErrorResponse whose first field is the severity, from the server",
             postgresql_formats},
    RuleText{mongodb_message, mongodb, "mongodb-op-msg", "a sane header, OP_MSG, known flags, a first section of kind 0 or 1",
             mongodb_wire},
    RuleText{mongodb_query, mongodb, "mongodb-op-query", "a sane header, OP_QUERY, known flags, a collection name",
             "MongoDB, Legacy Opcodes"},
    RuleText{mongodb_compressed, mongodb, "mongodb-op-compressed",
             "a sane header, OP_COMPRESSED, a known opcode inside, a sane size, a known compressor", "MongoDB, OP_COMPRESSED"},
    RuleText{mongodb_command, mongodb, "mongodb-op-command", "a sane header, OP_COMMAND, a database name (MongoDB 3.2 to 4.0)",
             "MongoDB 3.2 wire protocol"},
    RuleText{mongodb_write, mongodb, "mongodb-legacy-write",
             "a sane header, OP_UPDATE, OP_INSERT, OP_GET_MORE or OP_DELETE, a collection name", "MongoDB, Legacy Opcodes"},
    RuleText{mongodb_reply, mongodb, "mongodb-reply", "a sane header with OP_REPLY, OP_MSG, OP_COMMANDREPLY or OP_COMPRESSED, from the server",
             mongodb_wire},
    RuleText{redis_array, redis, "redis-array", "an array of 1 to 1048576 bulk strings, the first of 1 to 128 bytes",
             "Redis serialization protocol specification, Sending commands to a Redis server"},
    RuleText{redis_inline, redis, "redis-inline",
             "a line that is a Redis command in either case with as many arguments as it takes, and that no other text protocol would send",
             "Redis serialization protocol specification, Inline commands; COMMAND of Redis 7.0"},
    RuleText{redis_reply, redis, "redis-reply", "+PONG, an error with a prefix of Redis, or a RESP value with its length, from the server",
             "Redis serialization protocol specification, RESP protocol description"},
    RuleText{rtmp_zero_field, rtmp, "rtmp-zero-field", "C0 3 or 6, four bytes of time, four zero bytes", rtmp_handshake},
    RuleText{rtmp_version_field, rtmp, "rtmp-version-field",
             "C0 3 or 6, four bytes of time, a version as players and servers write it where the specification has zeros",
             "Adobe RTMP 1.0 sections 5.2.2 to 5.2.3; versions of Flash Player, FMS, FFmpeg and nginx-rtmp as seen on the wire"},
};

constexpr bool indexed_by_id() {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (static_cast<std::size_t>(table[i].id) != i) return false;
  return true;
}
static_assert(indexed_by_id());
static_assert(table.size() == static_cast<std::size_t>(rtmp_version_field) + 1);

}  // namespace

std::span<const RuleText> rules() { return table; }

const RuleText& rule(std::uint16_t index) { return table[index]; }

}  // namespace nlb::inspect
