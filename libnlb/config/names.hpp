// The words of every choice in nlb.yaml: one array per enum, in the enum's order. Parser, printer and nlb.yaml.5 all use these.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "libnlb/config/config.hpp"

namespace nlb::config {

inline constexpr std::array<std::string_view, 3> at_limit_names = {"refuse", "queue", "delay"};
inline constexpr std::array<std::string_view, 3> limit_per_names = {"protocol", "service", "client"};
inline constexpr std::array<std::string_view, 6> picker_names = {"least_conn", "round_robin", "random", "p2c", "hash", "latency"};
inline constexpr std::array<std::string_view, 3> sticky_names = {"none", "client", "sni"};
inline constexpr std::array<std::string_view, 2> half_close_names = {"close", "full"};
inline constexpr std::array<std::string_view, 3> send_proxy_names = {"none", "v1", "v2"};
inline constexpr std::array<std::string_view, 4> check_names = {"tcp", "grpc", "protocol", "none"};
inline constexpr std::array<std::string_view, 3> strategy_names = {"threshold", "hpa", "predictive"};
inline constexpr std::array<std::string_view, 4> scale_metric_names = {"rate", "connections", "cpu", "memory"};
inline constexpr std::array<std::string_view, 3> log_format_names = {"auto", "text", "json"};
inline constexpr std::array<std::string_view, 2> splice_names = {"auto", "off"};
inline constexpr std::array<std::string_view, 2> io_uring_names = {"auto", "off"};
inline constexpr std::array<std::string_view, 6> log_level_names = {"trace", "debug", "info", "warn", "error", "off"};

using Names = std::span<const std::string_view>;

template <class Enum> constexpr Names names_of() = delete;
template <> constexpr Names names_of<AtLimit>() { return at_limit_names; }
template <> constexpr Names names_of<LimitPer>() { return limit_per_names; }
template <> constexpr Names names_of<PickerKind>() { return picker_names; }
template <> constexpr Names names_of<Sticky>() { return sticky_names; }
template <> constexpr Names names_of<HalfClose>() { return half_close_names; }
template <> constexpr Names names_of<SendProxy>() { return send_proxy_names; }
template <> constexpr Names names_of<CheckKind>() { return check_names; }
template <> constexpr Names names_of<Strategy>() { return strategy_names; }
template <> constexpr Names names_of<ScaleMetric>() { return scale_metric_names; }
template <> constexpr Names names_of<LogFormat>() { return log_format_names; }
template <> constexpr Names names_of<Splice>() { return splice_names; }
template <> constexpr Names names_of<IoUring>() { return io_uring_names; }
// The protocols that can be configured: `unknown` is an answer of the detector, not a choice.
template <> constexpr Names names_of<Protocol>() { return Names(protocol_names).first(protocol_count - 1); }

template <class Enum> constexpr std::string_view name_of(Enum value) {
  return names_of<Enum>()[static_cast<std::size_t>(value)];
}
template <class Enum> constexpr std::optional<Enum> parse_name(std::string_view name) {
  const auto names = names_of<Enum>();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace nlb::config
