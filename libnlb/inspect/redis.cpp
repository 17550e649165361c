// Redis: arrays of bulk strings, inline commands, and the replies that no other protocol has.
//
// An inline command must be a whole line with a known command and a fitting number of arguments. What other text protocols would send in
// the same words is left out: SMTP's and FTP's AUTH, memcached's SET with numbers, HTTP's GET /path, and lines that end in a version.
#include <optional>
#include <utility>

#include "libnlb/inspect/recognisers.hpp"
#include "libnlb/inspect/redis_commands.hpp"
#include "libnlb/inspect/text.hpp"

namespace nlb::inspect {

namespace {

constexpr std::uint32_t array_items_max = 1048576;   // Redis refuses more
constexpr std::uint32_t command_bytes_max = 128;     // the longest of Redis and its modules have about 40

// A decimal without leading zeros and the CRLF behind it, as Redis reads lengths.
struct Length {
  Answer answer;
  std::uint32_t value;
  std::size_t end;   // match: one past LF; unknown: one past the byte that decided
};

Length read_length(std::string_view text, std::size_t at, std::uint32_t max) {
  std::uint32_t value = 0;
  std::size_t i = at;
  for (; i < text.size() && is(digit_char, text[i]); ++i) {
    if (i > at && value == 0) return {Answer::unknown, 0, i + 1};
    value = value * 10 + static_cast<std::uint32_t>(text[i] - '0');
    if (value > max) return {Answer::unknown, 0, i + 1};
  }
  for (const char want : {'\r', '\n'}) {
    if (i == text.size()) return {Answer::more, value, 0};
    if (text[i] != want || i == at) return {Answer::unknown, 0, i + 1};
    ++i;
  }
  return {Answer::match, value, i};
}

// The command that the word at the front is, or how many bytes of it rule every command out.
struct CommandWord {
  const RedisCommand* command = nullptr;
  std::size_t bytes = 0;
  bool complete = false;   // a byte behind the word has been seen
};

// Where each first letter's commands begin; one entry more closes the last.
constexpr auto letter_starts = [] {
  std::array<std::uint16_t, 27> starts{};
  for (std::size_t letter = 0; letter < starts.size(); ++letter)
    while (starts[letter] < redis_commands.size() && redis_commands[starts[letter]].name[0] < static_cast<char>('a' + letter)) ++starts[letter];
  return starts;
}();

CommandWord find_command(std::string_view text) {
  const char initial = lower(text[0]);
  if (!is(alpha_char, initial)) return {nullptr, 1, true};
  const auto letter = static_cast<std::size_t>(initial - 'a');
  const auto* first = redis_commands.data() + letter_starts[letter];
  const auto* last = redis_commands.data() + letter_starts[letter + 1];
  for (std::size_t i = 1; first != last; ++i) {
    if (i == text.size()) return {first, i, false};
    const char c = lower(text[i]);
    if (!is(alpha_char | digit_char, c) && c != '_' && c != '-') {
      const bool exact = first->name.size() == i;   // a command sorts before those it is a prefix of
      return {exact ? first : nullptr, exact ? i : i + 1, true};
    }
    while (first != last && (first->name.size() <= i || first->name[i] < c)) ++first;
    auto* end = first;
    while (end != last && end->name[i] == c) ++end;
    last = end;
    if (first == last) return {nullptr, i + 1, true};
  }
  return {nullptr, 1, true};
}

// The words behind the command; quotes as sdssplitargs() of Redis reads them.
struct Words {
  int count = 1;
  std::string_view second, third, fourth, last;
};

std::size_t word_end(std::string_view line, std::size_t i) {
  const char quote = line[i];
  if (quote != '"' && quote != '\'') {
    while (i < line.size() && line[i] != ' ' && line[i] != '\t') ++i;
    return i;
  }
  for (++i; i < line.size(); ++i) {
    if (line[i] == '\\') ++i;
    else if (line[i] == quote) return i + 1 == line.size() || line[i + 1] == ' ' ? i + 1 : std::string_view::npos;
  }
  return std::string_view::npos;
}

std::optional<Words> split(std::string_view line) {
  Words words;
  for (std::size_t i = 0; i < line.size();) {
    if (line[i] == ' ' || line[i] == '\t') {
      ++i;
      continue;
    }
    const std::size_t end = word_end(line, i);
    if (end == std::string_view::npos) return std::nullopt;
    words.last = line.substr(i, end - i);
    ++words.count;
    if (words.count == 2) words.second = words.last;
    if (words.count == 3) words.third = words.last;
    if (words.count == 4) words.fourth = words.last;
    i = end;
  }
  return words;
}

// AUTH of SMTP, POP3, IMAP (RFC 4422 mechanisms) and FTP (RFC 4217, 2228).
bool is_mechanism(std::string_view word) {
  constexpr std::array<std::string_view, 14> mechanisms{"TLS", "SSL", "TLS-C", "TLS-P", "GSSAPI", "PLAIN", "LOGIN", "CRAM-MD5",
                                                        "DIGEST-MD5", "NTLM", "EXTERNAL", "XOAUTH2", "OAUTHBEARER", "KERBEROS_V4"};
  return std::find(mechanisms.begin(), mechanisms.end(), word) != mechanisms.end() || word.starts_with("SCRAM-SHA");
}

bool belongs_to_others(std::string_view command, const Words& words) {
  if (words.count == 1) return false;
  if (is_version_word(words.last)) return true;                                           // HTTP, SIP, RTSP
  if (command == "get") return words.second.starts_with('/');                             // HTTP/0.9
  if (command == "set") return words.count > 3 && !is(alpha_char, words.fourth[0]);       // memcached: flags, expiry, bytes
  if (command == "auth") return is_mechanism(words.second);
  if (command == "hello") return words.second != "2" && words.second != "3";              // a greeting typed to anything
  if (command == "info") return words.second.starts_with('{');                            // NATS
  if (command == "ping") return words.count > 2 || words.second.starts_with(':');         // IRC
  return command == "select" && !is(digit_char, words.second[0]);                         // IMAP, SQL
}

bool is_redis_line(const RedisCommand& command, std::string_view arguments) {
  const auto words = split(arguments);
  if (!words) return false;
  const bool fits = command.arity < 0 ? words->count >= -command.arity : words->count == command.arity;
  return fits && !belongs_to_others(command.name, *words);
}

constexpr std::array<std::string_view, 18> telling_replies{
    "+PONG\r\n", "-NOAUTH ", "-WRONGTYPE ", "-WRONGPASS ", "-NOPERM ", "-MOVED ", "-ASK ", "-LOADING ", "-CLUSTERDOWN ", "-READONLY ",
    "-MASTERDOWN ", "-NOPROTO ", "-DENIED ", "-NOSCRIPT ", "-EXECABORT ", "-MISCONF ", "-BUSYGROUP ", "-CROSSSLOT "};

// How many bytes of `want` stand at the front of `text`.
std::size_t common_bytes(std::string_view text, std::string_view want) {
  std::size_t i = 0;
  while (i < text.size() && i < want.size() && text[i] == want[i]) ++i;
  return i;
}

Verdict simple_reply(std::string_view text) {
  std::size_t common = 0;
  for (const auto want : telling_replies) {
    const std::size_t bytes = common_bytes(text, want);
    if (bytes == want.size()) return match(Protocol::redis, Rule::redis_reply, bytes);
    common = std::max(common, bytes);
  }
  return common == text.size() ? more(Rule::redis_reply, common + 1) : no_match(Rule::redis_reply, common + 1);
}

}  // namespace

Verdict redis_array(Bytes bytes) {
  constexpr Rule rule = Rule::redis_array;
  const std::string_view text = as_text(bytes);
  std::size_t at = 0;
  for (const auto& [mark, max] : {std::pair{'*', array_items_max}, {'$', command_bytes_max}}) {
    if (at == text.size()) return more(rule, at + 1);
    if (text[at] != mark) return no_match(rule, at + 1);
    if (at + 1 < text.size() && text[at + 1] == '0') return no_match(rule, at + 2);
    const Length length = read_length(text, at + 1, max);
    if (length.answer == Answer::more) return more(rule, text.size() + 1);
    if (length.answer == Answer::unknown) return no_match(rule, length.end);
    at = length.end;
  }
  return match(Protocol::redis, rule, at);
}

Verdict redis_inline(Bytes bytes) {
  constexpr Rule rule = Rule::redis_inline;
  const std::string_view text = as_text(bytes);
  const CommandWord word = find_command(text);
  if (!word.command) return no_match(rule, word.bytes);
  if (!word.complete) return more(rule, text.size() + 1);
  for (std::size_t i = word.bytes; i < text.size(); ++i) {
    const auto c = static_cast<std::uint8_t>(text[i]);
    if (is(visible_char, c) ? i > word.bytes : c == ' ' || c == '\t') continue;
    if (c == '\r' && i + 1 == text.size()) break;
    const bool ends = c == '\n' || (c == '\r' && text[i + 1] == '\n');
    const std::size_t decided = i + (c == '\r' ? 2 : 1);
    if (ends && is_redis_line(*word.command, text.substr(word.bytes, i - word.bytes))) return match(Protocol::redis, rule, decided);
    return no_match(rule, decided);
  }
  return more(rule, text.size() + 1);
}

// A server's first bytes. POP3 and NNTP share "+OK" and "-ERR": those prove nothing.
Verdict redis_reply(Bytes bytes) {
  constexpr Rule rule = Rule::redis_reply;
  const std::string_view text = as_text(bytes);
  if (text[0] == '+' || text[0] == '-') return simple_reply(text);
  const std::string_view kinds = "$:*%~";
  if (kinds.find(text[0]) == std::string_view::npos) return no_match(rule, 1);
  const std::size_t digits = text.size() > 1 && text[1] == '-' && text[0] != '%' && text[0] != '~' ? 2 : 1;
  const Length length = read_length(text, digits, 536870912);   // proto-max-bulk-len
  if (length.answer == Answer::more) return more(rule, text.size() + 1);
  return length.answer == Answer::match ? match(Protocol::redis, rule, length.end) : no_match(rule, length.end);
}

}  // namespace nlb::inspect
